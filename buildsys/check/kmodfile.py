"""The kmods of a run, each read and taken apart once."""

import functools
import hashlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from buildsys.base.errors import BuildsysError
from buildsys.base.value import frozen
from buildsys.check.kobj import (
    MAXIMUM_KMOD_BYTES,
    Halt,
    KernelObject,
    RelocationSet,
    halt,
    parse_object,
    read_relocation_sets,
)
from buildsys.check.segments import judge_segments
from buildsys.elf.memory import Memory
from buildsys.elf.model import Layout, Section
from buildsys.elf.reader import read_image
from buildsys.kernel.model import Kernel
from buildsys.kernel.options import WATCHED, KernelOption, find_option
from buildsys.kernel.port import PORTS, Port, find_ports, is_little_arch

T = TypeVar("T")


@frozen
class Linkable:
    """An object that the kernel has placed in memory, with its relocations."""

    kobj: KernelObject
    relocations: tuple[RelocationSet, ...]

    @property
    def path(self) -> Path:
        """Name the file."""
        return self.kobj.path

    def memory(self, is_before_affix: bool) -> Memory:
        """Give its content before or after the relocations against globals."""
        tables = tuple(relocations.table for relocations in self.relocations)
        return Memory(self.kobj.elf, self.kobj.symbols, tables, is_before_affix)

    def find_section(self, name: str) -> Section | None:
        """Find a loaded section: sys/kern/subr_kobj.c, kobj_find_section()."""
        return next((s for s in self.kobj.elf.sections if s.is_loaded and s.name == name), None)


@frozen
class KmodFile:
    """What can be said of a kmod by itself; a Halt is where the kernel stops before any symbol.

    size is that of the file, in bytes.
    """

    path: Path
    digest: bytes
    result: Linkable | Halt
    size: int = 0


class KmodCache:
    """Reads kmods for one kernel; a path is read once, unless shrink let it go.

    builtins gives each built-in module and how many others require it; providers may name the
    module that offers a symbol, to explain one that is missing.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._files: dict[Path, KmodFile] = {}
        self._plists: dict[Path, Path | None] = {}
        self.providers: dict[str, str] = {}
        self._answers: dict[Path, dict[Callable[[Linkable], Any], Any]] = {}
        builtins = kernel.builtins or ()
        counts = Counter(name for builtin in builtins for name in builtin.required)
        self.builtins = {builtin.name: (builtin, counts[builtin.name]) for builtin in builtins}

    @functools.cached_property
    def options(self) -> tuple[KernelOption, ...]:
        """Tell which of the watched options the kernel has."""
        return tuple(find_option(self._kernel, name) for name in WATCHED)

    def read(self, path: Path) -> KmodFile:
        """Read a kmod; raises only when the file itself cannot be read."""
        file = self._files.pop(path, None)
        if file is None:
            file = _read_kmod(path, self._kernel)
        self._files[path] = file  # the last is the one that was asked for last
        return file

    def shrink(self, most_bytes: int) -> None:
        """Let go of all but the files that were asked for last; not during a check."""
        size = 0
        for path, file in reversed(list(self._files.items())):
            size += file.size
            if size > most_bytes:
                del self._files[path]
                self._answers.pop(path, None)

    def find_plist(self, path: Path) -> Path | None:
        """Find the properties beside a kmod, NAME.plist for NAME.kmod; looked for once."""
        if path not in self._plists:
            plist = path.with_name(path.name.removesuffix(".kmod") + ".plist")
            self._plists[path] = plist if plist.exists() else None
        return self._plists[path]

    def ask(self, question: Callable[[Linkable], T], file: Linkable) -> T:
        """Answer what depends on nothing but the file, once for each file."""
        answers = self._answers.setdefault(file.path, {})
        if question not in answers:
            answers[question] = question(file)
        answer: T = answers[question]
        return answer


def choose_port(kernel: Kernel, image: memoryview) -> tuple[Port, Layout] | None:
    """Find which family's linker judges the file, and the layout it reads it in.

    Where the machine leaves several, the file decides; None when the machine is not known.
    """
    ports = find_ports(kernel.machine, kernel.machine_arch)
    if not ports:
        return None
    claimed = None
    if len(image) > 20 and image[4] in (1, 2) and image[5] in (1, 2):
        claimed = Layout(32 * image[4], image[5] == 1)
    port = _closest(ports, image, claimed)
    is_little = port.is_little
    if is_little is None:
        is_little = is_little_arch(kernel.machine_arch)
    if is_little is None:
        is_little = claimed.is_little if claimed is not None else True
    return port, Layout(port.width_bits, is_little)


def _closest(ports: tuple[Port, ...], image: memoryview, claimed: Layout | None) -> Port:
    if claimed is None:
        return ports[0]
    machine = int.from_bytes(image[18:20], claimed.order)
    for port in ports:
        if machine in port.elf_machines and port.fits(claimed):
            return port
    return ports[0]


def _read_kmod(path: Path, kernel: Kernel) -> KmodFile:
    if path.is_dir():
        message = "this is a directory"
        return KmodFile(path, bytes(32), halt("not-elf", path, message, "not an ELF object"))
    image = read_image(path, MAXIMUM_KMOD_BYTES)
    digest = hashlib.sha256(image).digest()
    chosen = choose_port(kernel, image)
    if chosen is None:
        raise BuildsysError(
            f"{kernel.machine}: expected a NetBSD machine whose kernels load modules: "
            f"{', '.join(sorted({port.name for port in PORTS}))} or one of their families"
        )
    result = parse_object(image, path, *chosen)
    if isinstance(result, Halt):
        return KmodFile(path, digest, result, len(image))
    stop = judge_segments(result, kernel.has_diagnostic)
    if stop is not None:
        return KmodFile(path, digest, stop, len(image))
    linkable = Linkable(result, read_relocation_sets(result))
    return KmodFile(path, digest, linkable, len(image))
