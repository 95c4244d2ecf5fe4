"""From a configuration to all that a plan needs: machine, tools, kernel, modules."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from buildsys.base.epoch import read_time
from buildsys.base.errors import UsageError
from buildsys.base.value import frozen
from buildsys.config import Config
from buildsys.module.model import Module
from buildsys.pipeline.descriptors import is_tree_described, load_modules
from buildsys.pipeline.jobs import default_jobs
from buildsys.pipeline.needs import leave_out_untooled
from buildsys.pipeline.objdir import RECORD_DIRECTORY, objects_directory
from buildsys.pipeline.target import Target, load_target
from buildsys.provenance.keys import Trust
from buildsys.provenance.trust import parse_trust
from buildsys.srctree.environment import MakeSetup, find_make_setup
from buildsys.srctree.tree import MODULES, SourceTree, read_tree
from buildsys.toolchain.discover import load_toolchain
from buildsys.toolchain.kind import choose_kind
from buildsys.toolchain.model import Toolchain

_MAKE_OBJDIR = f"{RECORD_DIRECTORY}/make"  # below a machine's object directory, and stays empty
_TREE_RECORD = f"{RECORD_DIRECTORY}/srctree.json"


@frozen
class Request:
    """All that a plan is made from."""

    config: Config
    target: Target
    toolchain: Toolchain
    modules: tuple[Module, ...]  # of this machine
    other_modules: tuple[str, ...]  # those that are for other machines
    tree: SourceTree | None = None  # where the modules are a source tree's
    seconds: int = 0  # since 1970: the time that reproducible results bear
    trust: Trust | None = None  # who must have signed what is installed


def load_request(
    config: Config, environment: Mapping[str, str], directories: Sequence[Path] = ()
) -> Request:
    """Load everything that a build needs; each piece's trouble is one error.

    directories are those whose makefiles describe modules; none means the tree's own sys/modules,
    where modules are read from a source tree at all.
    """
    target = load_target(config)
    seconds = read_time(environment) if config.reproducible else 0
    kind = choose_kind(None, config.toolchain or None, str(config.tooldir or "") or None)
    tooldir = config.tooldir
    toolchain = load_toolchain(kind, target.machine, tooldir=tooldir, environment=environment)
    if directories or is_tree_described(config):
        tree = load_tree(config, toolchain, environment, directories)
        return Request(
            config, target, toolchain, tree.modules, (), tree, seconds, load_trust(config)
        )
    every = load_modules(config, target.machine)
    machine = target.machine
    modules = tuple(module for module in every if module.is_for(machine.name, machine.arch))
    others = tuple(m.name for m in every if not m.is_for(machine.name, machine.arch))
    trust = load_trust(config)
    return Request(config, target, toolchain, modules, others, None, seconds, trust)


def load_trust(config: Config, directory: Path | None = None) -> Trust | None:
    """Find who must have signed what is installed; directory is where, if not in config.sets."""
    is_in_file = dict(config.origins)["require_signature"] == str(config.file)
    base = config.file.parent if is_in_file else Path.cwd()
    return parse_trust(config.require_signature, base, directory or config.sets)


def load_tree(
    config: Config,
    toolchain: Toolchain,
    environment: Mapping[str, str],
    directories: Sequence[Path],
) -> SourceTree:
    """Read modules from makefiles, in the directories given or in all of the source tree."""
    if config.src is None:
        where = f"{directories[0]}: " if directories else ""
        text = "a directory with a Makefile needs a NetBSD source tree; give one with --src"
        raise UsageError(f"{where}{text}")
    objects = config.objdir / toolchain.machine.label
    known = _make_environment(config, environment)
    setup = find_make_setup(toolchain, config.src, objects / _MAKE_OBJDIR, config.tooldir, known)
    roots = tuple(directories) or (config.src / MODULES,)
    tree = read_tree(
        setup,
        objects / _TREE_RECORD,
        lambda name: objects_directory(objects, name),
        roots,
        default_jobs(),
    )
    return leave_out_untooled(tree, toolchain)


def make_setup(request: Request, environment: Mapping[str, str]) -> MakeSetup:
    """Say how make is called for the source tree of a request."""
    config = request.config
    if config.src is None:
        raise UsageError("there is no source tree; give one with --src or NETBSDSRCDIR")
    objdir = config.objdir / request.target.machine.label / _MAKE_OBJDIR
    known = _make_environment(config, environment)
    return find_make_setup(request.toolchain, config.src, objdir, config.tooldir, known)


def _make_environment(config: Config, environment: Mapping[str, str]) -> Mapping[str, str]:
    """Give what make sees: share/mk/bsd.sys.mk has its own flags for MKREPRO."""
    return {**environment, "MKREPRO": "yes"} if config.reproducible else environment
