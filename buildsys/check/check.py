"""The verdict over a kmod: would this kernel load it, and is it what it should be."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from buildsys.check.beyond import Expected, check_dangers, check_ident, check_promises
from buildsys.check.drift import Drift, DriftPolicy, check_options, noted_options
from buildsys.check.judge import read_description
from buildsys.check.kmodfile import KmodCache, Linkable
from buildsys.check.kobj import Halt
from buildsys.check.loaded import FindFile, LoadResult
from buildsys.check.loader import LoaderState
from buildsys.check.rulebook import finding
from buildsys.check.together import add_luck
from buildsys.check.verdict import Finding, Outcome, Severity, Verdict
from buildsys.kernel.model import Kernel, split_required

_KMOD = ".kmod"
_WEIGHTS = (Severity.ERROR, Severity.WARNING, Severity.NOTE)
_BUILT_IN = "built-in"
_SYMBOLS_UNKNOWN = "symbols-unknown"


def check_kmod(
    path: Path,
    kernel: Kernel,
    required: Mapping[str, Path],
    expected: Expected | None = None,
    cache: KmodCache | None = None,
    drift: Drift | None = None,
) -> Verdict:
    """Judge one kmod as a freshly booted kernel would; raises only when it cannot be read.

    required maps names to kmod files: what the kernel would find in its modules directory. The
    plist beside a kmod (NAME.plist for NAME.kmod) belongs to it. Where kernel.symbols is None,
    what could not be checked is a note, and the outcome UNKNOWN.
    """
    cache = KmodCache(kernel) if cache is None else cache
    drift = Drift() if drift is None else drift
    name = expected.name if expected is not None else path.name.removesuffix(_KMOD)
    file = cache.read(path)
    state = LoaderState(kernel, _directory(kernel, required, cache, (name, path)), cache)
    findings: list[Finding] = []
    ignored: frozenset[str] = frozenset()
    is_builtin = kernel.find_builtin(name) is not None
    if is_builtin:
        findings.append(_builtin_finding(path, name))
        state.forget_builtin(name)
        if isinstance(file.result, Linkable):
            ignored = frozenset(file.result.kobj.defined)
    result = state.load(name, ignored=ignored)
    findings += _without_echo(result.findings, path)
    if isinstance(file.result, Linkable):
        findings += _findings_beyond(file.result, result, state, cache, expected, name)
    built_with = drift.options
    if built_with is None and isinstance(file.result, Linkable):
        built_with = noted_options(file.result)
    if built_with is not None:
        findings += check_options(path, built_with, cache.options, drift.policy)
    outcome = result.outcome
    if outcome is Outcome.LOADS and any(f.severity is Severity.NOTE for f in findings):
        outcome = Outcome.UNKNOWN
    if is_builtin and outcome in (Outcome.LOADS, Outcome.UNKNOWN):
        outcome = Outcome.REFUSED
    return Verdict(
        name,
        path,
        file.digest,
        kernel.label,
        outcome,
        tuple(sorted(findings, key=_weigh)),
        result.inputs or (path,),
        _requires(file.result, cache),
        () if result.module is None else state.loaded_names(),
        built_with=built_with,
    )


def check_set(
    paths: Sequence[Path],
    kernel: Kernel,
    cache: KmodCache | None = None,
    policy: DriftPolicy = DriftPolicy.WARN,
) -> tuple[Verdict, ...]:
    """Judge kmods that will be installed together, each with the others as its requirements.

    A module of the set is known by its file's name; of two files with one name the first counts.
    """
    cache = KmodCache(kernel) if cache is None else cache
    required: dict[str, Path] = {}
    for path in paths:
        name = path.name.removesuffix(_KMOD)
        result = cache.read(required.setdefault(name, path)).result
        if isinstance(result, Linkable):
            for symbol in result.kobj.defined:
                cache.providers.setdefault(symbol, name)
    drift = Drift(None, policy)
    verdicts = [check_kmod(path, kernel, required, None, cache, drift) for path in paths]
    return add_luck(verdicts, kernel, _directory(kernel, required, cache), cache)


def _weigh(found: Finding) -> tuple[bool, int]:
    """Order findings: what decides comes first; that a name is built in decides before all else."""
    return found.rule != _BUILT_IN, _WEIGHTS.index(found.severity)


def _requires(file: Linkable | Halt, cache: KmodCache) -> tuple[str, ...]:
    described = file if isinstance(file, Halt) else cache.ask(read_description, file)
    return () if isinstance(described, Halt) else split_required(described.required or "")


def _directory(
    kernel: Kernel,
    kmods: Mapping[str, Path],
    cache: KmodCache,
    own: tuple[str, Path] | None = None,
) -> FindFile:
    """Lay the kmods out as the kernel looks for them: NAME/NAME.kmod, and NAME.plist beside.

    own is a name with its kmod, in place of what kmods has of that name.
    """
    directory = kernel.modules_directory + "/"

    def find(target: str) -> Path | None:
        name, _, leaf = target.removeprefix(directory).partition("/")
        path = own[1] if own is not None and own[0] == name else kmods.get(name)
        if path is None or not target.startswith(directory):
            return None
        if leaf == f"{name}{_KMOD}":
            return path
        return cache.find_plist(path) if leaf == f"{name}.plist" else None

    return find


def _without_echo(findings: Sequence[Finding], path: Path) -> list[Finding]:
    """Leave out that a required module could not be checked where the module itself could not."""
    own = {finding.rule for finding in findings if finding.path == path}
    return [
        f for f in findings if f.path == path or f.rule != _SYMBOLS_UNKNOWN or f.rule not in own
    ]


def _builtin_finding(path: Path, name: str) -> Finding:
    return finding(
        _BUILT_IN,
        path,
        f"this kernel has {name} built in, and refuses to load another; judged as if it had not",
    )


def _findings_beyond(
    file: Linkable,
    result: LoadResult,
    state: LoaderState,
    cache: KmodCache,
    expected: Expected | None,
    name: str,
) -> list[Finding]:
    findings: list[Finding] = []
    modinfo = cache.ask(read_description, file)
    if not isinstance(modinfo, Halt):
        findings += check_promises(file, modinfo, expected, name)
        findings += check_ident(file, modinfo)
    if result.module is not None:
        findings += check_dangers(result.module, file, state)
    return findings
