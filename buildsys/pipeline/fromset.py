"""Installing what was built elsewhere: a set's modules, judged and switched as if built here."""

import hashlib
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from buildsys.base.errors import BuildsysError, UsageError
from buildsys.base.files import make_directory, read_whole, remove_temporaries, write_whole
from buildsys.base.value import frozen, replace
from buildsys.check.check import check_set
from buildsys.check.drift import DriftPolicy, parse_policy
from buildsys.check.needed import Need
from buildsys.check.verdict import Severity, Verdict
from buildsys.config import Config
from buildsys.elf.debuglink import read_debug_link
from buildsys.elf.reader import read_elf
from buildsys.install.debug import debug_directory, follow_modules, order_debug
from buildsys.install.layout import DEBUG_ROOT, InstallPlace
from buildsys.install.order import Order, order_kmod
from buildsys.install.receipt import load_installed
from buildsys.install.switch import Switch, switch_modules
from buildsys.kernel.load import find_kernel
from buildsys.kernel.model import Kernel
from buildsys.pipeline.needing import choose_parting
from buildsys.pipeline.outcome import FailureKind, StepError
from buildsys.pipeline.places import (
    installation_at,
    lock_machine,
    machine_directory,
    usual_place,
)
from buildsys.pipeline.progress import describe_finding
from buildsys.pipeline.request import load_trust
from buildsys.pipeline.staying import judge_staying
from buildsys.pipeline.target import Target, load_target
from buildsys.pipeline.vetting import find_kmods, refuse_unsigned
from buildsys.provenance.keys import Trust
from buildsys.provenance.manifest import load_digests
from buildsys.sets.reading import PackedFile, find_archive, read_set
from buildsys.toolchain.machine import load_machine


@frozen
class FromSet:
    """What to install: sets (archives or directories), names of modules (() for all of them)."""

    sources: tuple[Path, ...]
    names: tuple[str, ...]
    is_privileged: bool
    has_prune: bool


@frozen
class SetInstalled:
    """What became of it: verdicts are those of the set's modules, signers say who signed.

    needs says why modules stayed that were to be pruned; debug names the files of debugging
    information.
    """

    tree: Path
    kernel: Kernel
    switch: Switch
    verdicts: tuple[Verdict, ...]
    signers: tuple[str, ...]
    removed: tuple[str, ...]
    needs: tuple[Need, ...]
    warnings: str
    debug: tuple[str, ...]


@frozen
class _Archive:
    """A set that was read; trust says who must have signed it."""

    path: Path
    files: tuple[PackedFile, ...]
    trust: Trust | None


def install_set(config: Config, wanted: FromSet) -> SetInstalled:
    """Install a set's modules as one change; StepError names those that are not fit."""
    archives = [_read_archive(config, path) for path in wanted.sources]
    main = _find_main(archives)
    target = find_target(config, main.files, main.path)
    place = usual_place(config, target, wanted.is_privileged)
    own = [_choose_files(archive, place.target) for archive in archives]
    chosen = _choose_modules([file for archive in own for file in archive.files], wanted, main.path)
    installation = installation_at(config, target, place)
    objects = machine_directory(config, target)
    with lock_machine(config, target, "installing a set for"):
        make_directory(objects)
        remove_temporaries(objects)  # what a killed run unpacked
        with tempfile.TemporaryDirectory(prefix=".modbuild.set.", dir=objects) as name:
            files = [file for archive in own for file in archive.files if file.module in chosen]
            kmods = _unpack(files, Path(name))
            former = load_installed(installation)
            installed = find_kmods(installation.tree)
            over = former.keys() - kmods.keys() if wanted.has_prune else ()
            parting = choose_parting(config, {**installed, **kmods}, over)
            removed = sorted(parting.going)
            for module in removed:
                installed.pop(module, None)
            kernel = _find_kernel(target)
            verdicts = _judge(kmods, installed, kernel, parse_policy(config.drift))
            orders = tuple(_order(verdict, place) for verdict in verdicts)
            debug = tuple(_order_debug(verdicts, place))
            signers = _refuse_unsigned(own, (*orders, *debug))
            warnings = judge_staying(kmods, installed, kernel, former.keys())
            switch = switch_modules(orders, installation, removed)
            follow_modules(installation, debug)
    return SetInstalled(
        installation.tree, kernel, switch, verdicts, signers, tuple(removed), parting.needs,
        warnings, tuple(order.name for order in debug),
    )  # fmt: skip


def _find_kernel(target: Target) -> Kernel:
    machine, number = target.machine, target.version.number
    return find_kernel(target.kernel, machine.module_directory, machine.arch, number)


def _read_archive(config: Config, source: Path) -> _Archive:
    path = find_archive(source)
    content = read_whole(path)
    trust = load_trust(config, path.parent)
    _refuse_other_bytes(path, content)
    return _Archive(path, read_set(content, path), trust)


def _find_main(archives: Sequence[_Archive]) -> _Archive:
    """Choose the set that holds modules; there is one."""
    mains = [a for a in archives if not all(file.is_debug for file in a.files)]
    if not mains:
        message = "holds debugging information only; give the set of its modules, too"
        raise BuildsysError(message, archives[0].path)
    if len(mains) > 1:
        raise UsageError(f"--from: two sets of modules, {mains[0].path} and {mains[1].path}")
    return mains[0]


def _choose_files(archive: _Archive, modules: PurePosixPath) -> _Archive:
    files = tuple(file for file in archive.files if file.directory == modules)
    return replace(archive, files=files)


def _refuse_unsigned(archives: Iterable[_Archive], orders: Iterable[Order]) -> tuple[str, ...]:
    """Hold each order against the signed manifest of the set that it came from."""
    every = tuple(orders)
    signers: dict[str, None] = {}
    for archive in archives:
        if archive.trust is not None:
            paths = {file.path for file in archive.files}
            own = [o for o in every if any(f.target in paths for f in o.receipt.files)]
            signers |= dict.fromkeys(refuse_unsigned(own, archive.trust))
    return tuple(signers)


def _refuse_other_bytes(archive: Path, content: bytes) -> None:
    """Refuse an archive that is not the one in the list of digests beside it."""
    told = load_digests(archive.parent)
    if told is not None and told.get(archive.name) != hashlib.sha512(content).digest():
        raise BuildsysError("not the archive that SHA512 beside it is about", archive)


def find_target(config: Config, files: Collection[PackedFile], archive: Path) -> Target:
    """Find machine and version: the configuration's, else the version that the set is for."""
    machine = load_machine(config.machine, config.machine_arch or None)
    releases = {
        file.directory.parts[2]
        for file in files
        if file.directory.parts[1] == machine.module_directory
    }
    if not releases:
        others = ", ".join(sorted({file.directory.parts[1] for file in files}))
        raise BuildsysError(
            f"holds modules for {others}, not for {machine.module_directory}; say which machine"
            " with -m",
            archive,
        )
    # The sources of the release are not needed, and may not be here.
    bare = replace(config, src=None)
    is_chosen = config.release or config.kernel is not None
    if not is_chosen:
        if len(releases) > 1:
            raise BuildsysError(
                f"holds modules for {', '.join(sorted(releases))}; choose with --kernel or"
                " --release",
                archive,
            )
        bare = replace(bare, release=releases.pop())
        return load_target(bare)
    target = load_target(bare)
    if target.version.release not in releases:
        raise BuildsysError(
            f"holds modules for {', '.join(sorted(releases))}, and the kernel is {target.version}",
            archive,
        )
    return target


def _choose_modules(files: Sequence[PackedFile], wanted: FromSet, archive: Path) -> frozenset[str]:
    known = {file.module for file in files if file.path.suffix == ".kmod"}
    if alone := sorted({file.module for file in files} - known):
        message = f"properties or debugging information without the module: {', '.join(alone)}"
        raise BuildsysError(message, archive)
    for name in wanted.names:
        if name not in known:
            raise UsageError(f"no module {name} in {archive}; there are {', '.join(sorted(known))}")
    return frozenset(wanted.names) or frozenset(known)


def _unpack(files: Sequence[PackedFile], directory: Path) -> dict[str, Path]:
    """Lay files out as NAME/NAME.kmod below a directory; gives the kmods by module."""
    kmods = {}
    for file in files:
        path = directory / file.module / file.path.name
        make_directory(path.parent)
        write_whole(path, file.content)
        if path.suffix == ".kmod":
            kmods[file.module] = path
    return kmods


def _judge(
    kmods: dict[str, Path], installed: dict[str, Path], kernel: Kernel, policy: DriftPolicy
) -> tuple[Verdict, ...]:
    """Judge a set's kmods, with those that are installed as what they may require beside."""
    others = [path for name, path in installed.items() if name not in kmods]
    judged = check_set((*kmods.values(), *others), kernel, policy=policy)
    verdicts = tuple(verdict for verdict in judged if verdict.path in set(kmods.values()))
    bad = [verdict for verdict in verdicts if not verdict.is_fit]
    if bad:
        errors = [f for v in bad for f in v.findings if f.severity is Severity.ERROR]
        names = ", ".join(verdict.name for verdict in bad)
        text = "\n".join(describe_finding(finding) for finding in errors)
        message = f"not fit to be loaded by {kernel.label}: {names}"
        raise StepError(message, FailureKind.FINDINGS, (), text)
    return verdicts


def _order(verdict: Verdict, place: InstallPlace) -> Order:
    plist = verdict.path.with_suffix(".plist")
    return order_kmod(verdict.approve(), plist if plist.exists() else None, place)


def _order_debug(verdicts: Iterable[Verdict], place: InstallPlace) -> Iterator[Order]:
    """Order debugging information that lies beside kmods, and is what they name as theirs."""
    own = replace(place, modules=debug_directory(place.target, DEBUG_ROOT))
    for verdict in verdicts:
        path = verdict.path.with_name(f"{verdict.path.name}.debug")
        if path.exists():
            link = read_debug_link(read_elf(verdict.path))
            if link is None or not link.is_for(path.name, read_whole(path)):
                raise BuildsysError(
                    f"{path.name}: not of this {verdict.path.name}, which names"
                    f" {'no other file' if link is None else 'another'} (.gnu_debuglink); give sets"
                    " of one build"
                )
            yield order_debug(verdict.approve(), path, own)
