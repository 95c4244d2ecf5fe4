"""The steps of a build as data: what each reads, what it makes, and how; nothing runs here."""

from pathlib import Path, PurePath

from buildsys.base.digest import digest_bytes
from buildsys.base.value import field, field_names, frozen
from buildsys.install.installation import Installation
from buildsys.install.layout import InstallPlace
from buildsys.module.model import ModuleClass
from buildsys.provenance.keys import Trust
from buildsys.version import __version__


@frozen
class Generate:
    """Write files whose content is known beforehand, make symbolic links, remove old files."""

    files: tuple[tuple[Path, bytes], ...]
    links: tuple[tuple[Path, Path], ...]  # link, target
    removed: tuple[Path, ...]


@frozen
class Command:
    """Run a program in a directory; verb says for people what is done (compile, link).

    Where argv holds the name of an output or of the depfile, alone or after '=', the program gets
    a temporary name instead; the outputs get their own names only when the program succeeded.
    """

    verb: str
    argv: tuple[str, ...]
    directory: Path
    outputs: tuple[Path, ...]
    depfile: Path | None
    search_path: tuple[Path, ...]  # where headers are looked for, in order
    standard_output: Path | None = None  # the output that holds what the program writes
    environment: tuple[tuple[str, str], ...] = ()  # beyond what all programs get
    further: tuple[tuple[str, ...], ...] = ()  # commands that change the outputs, one after another


@frozen
class Configure:
    """Run config(1) over an ioconf file (-b), in a directory of its own; it makes names."""

    config: tuple[str, ...]
    system: Path  # the sys/ of a source tree
    ioconf: Path
    directory: Path
    names: tuple[str, ...]


@frozen
class Gather:
    """Run programs one after another in an empty directory and take the named files they make."""

    verb: str
    commands: tuple[tuple[str, ...], ...]
    directory: Path
    names: tuple[str, ...]


@frozen
class AssymSource:
    """Turn a genassym.cf into C."""

    config: Path
    output: Path


@frozen
class AssymHeader:
    """Read the numbers of a compiled AssymSource into assym.h."""

    object: Path
    output: Path


@frozen
class Check:
    """Judge a kmod as the kernel would, with the plists that lie beside kmods.

    required are the kmods of this run that it may pull in, installed further ones found below
    DESTDIR, both by module name.
    """

    name: str
    kmod: Path
    verdict: Path
    kernel: Path | None  # a kernel, nm list or saved map; None when no symbols are known
    machine: str  # as the kernel knows it, module_machine
    machine_arch: str
    kernel_version: int
    expected_class: ModuleClass | None  # None: no description promises anything
    expected_requires: tuple[str, ...]
    required: tuple[tuple[str, Path], ...]
    installed: tuple[tuple[str, Path], ...]
    options: tuple[str, ...] = ()  # kernel options that it is compiled with
    drift: str = "warn"  # what to do where the kernel's differ: warn, refuse or ignore


@frozen
class InstallDebug:
    """Order what was split off from a kmod to be put into the debug tree, at place."""

    file: Path
    place: InstallPlace
    order: Path


@frozen
class Install:
    """Order an approved kmod, its properties and what was split off to be put below DESTDIR."""

    verdict: Path
    plist: Path | None
    place: InstallPlace
    order: Path
    debug: InstallDebug | None = None


@frozen
class Vetting:
    """What an installation must pass beyond the verdicts of its modules.

    The kernel is told as in Check. described are modules that could be installed with the others:
    one of them that would not load any more stops the installation; any other is only named.
    """

    kernel: Path | None
    machine: str
    machine_arch: str
    kernel_version: int
    described: tuple[str, ...]
    trust: Trust | None


@frozen
class Record:
    """Switch modules directories to what was ordered; receipts and METALOG follow."""

    orders: tuple[Path, ...]
    installations: tuple[Installation, ...]
    vetting: Vetting


Action = (
    Generate | Command | Configure | Gather | AssymSource | AssymHeader | Check | Install | Record
)


@frozen
class Step:
    """One step: name is unique in a plan ('compile:hello/hello.o'), target is its short form.

    inputs are all files known beforehand that decide the result, tools among them; a file that
    another step makes orders the two. after names further steps that must be done before. use says
    of steps that one object directory knows several of by one name, such as those that install in
    different DESTDIRs, which one it is. recipe is found from the rest.
    """

    name: str
    module: str  # '' for a step of the whole run
    action: Action
    inputs: tuple[Path, ...]
    outputs: tuple[Path, ...]
    after: tuple[str, ...] = ()
    use: str = ""
    recipe: bytes = field(default=b"", compare=False)

    @property
    def kind(self) -> str:
        """Give the word before the colon: generate, compile, link, check, install, metalog."""
        return self.name.partition(":")[0]

    @property
    def record(self) -> str:
        """Name the step's own record among those of all uses."""
        return f"{self.name}@{self.use}" if self.use else self.name

    def __post_init__(self) -> None:
        """Digest all that decides the result beside the content of files (32 bytes)."""
        object.__setattr__(self, "recipe", find_recipe(self.action, self.inputs, self.outputs))


@frozen
class Graph:
    """Steps in an order in which each comes after those it needs; needs holds those by name."""

    steps: tuple[Step, ...]
    needs: dict[str, tuple[str, ...]]


def find_recipe(action: Action, inputs: tuple[Path, ...], outputs: tuple[Path, ...]) -> bytes:
    """Digest all that decides the result of a step beside the content of files (32 bytes)."""
    fields = [_tell(getattr(action, name)) for name in field_names(action)]
    files = list(map(str, inputs)), list(map(str, outputs))
    told = (__version__, type(action).__name__, fields, *files)
    return digest_bytes(repr(told).encode())


def _tell(item: object) -> object:
    """Give what has a repr that is as telling, and takes less time: paths by their names."""
    if isinstance(item, tuple):
        return [_tell(part) for part in item] if item and type(item[0]) is not str else item
    return str(item) if isinstance(item, PurePath) else item
