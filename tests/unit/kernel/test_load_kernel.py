"""Kernels from images, nm text and saved maps; whatever is wrong is one clear error."""

import errno
import gzip
import json
import os
import resource
import shutil
import struct
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest

from buildsys.base.command import run_command
from buildsys.base.errors import BuildsysError
from buildsys.base.shipped import shipped_path
from buildsys.elf.reader import read_elf
from buildsys.kernel import load
from buildsys.kernel.load import load_kernel, save_kernel
from buildsys.kernel.model import BuiltinModule, Kernel, SymbolMap
from buildsys.kernel.saved import compress, parse_kernel_map, render_kernel_map
from buildsys.kernel.version import KernelVersion, parse_version

CURRENT = KernelVersion(1099001200)
NM = (
    "ffffffff80200000 T start\n0000000000001000 A __PAGE_SIZE\n                 w gone\n"
    + "".join(f"ffffffff802{i:05x} D data_{i}\n" for i in range(300))
)


@pytest.mark.parametrize("machine", ["amd64", "i386", "macppc", "evbmips"])
def test_an_image_tells_everything(build_kernel: Callable[..., Path], machine: str) -> None:
    kernel = load_kernel(build_kernel(machine))
    assert (kernel.machine, kernel.machine_arch) == (machine, f"{machine}_arch")
    assert (kernel.version, kernel.name) == (CURRENT, "SMALL")
    symbols = kernel.symbols
    assert symbols is not None
    assert {"function_0", "function_299", "machine", "use_local"} <= symbols.globals
    assert symbols.weak == {"weak_one"}
    assert "local_one" in symbols.local
    assert "local_one" not in symbols.globals
    assert symbols.absolute == {"absolute_one"}
    assert symbols.values["absolute_one"] == 4096
    assert kernel.builtins == (
        BuiltinModule("firstfs", 2, 1099001200),
        BuiltinModule("second", 1, 1099001200, ("firstfs", "third")),
    )
    assert kernel.label == f"{machine} 10.99.12 (SMALL)"
    assert not kernel.has_dtrace
    assert not kernel.has_diagnostic


def test_symbols_are_those_of_nm(build_kernel: Callable[..., Path], tmp_path: Path) -> None:
    image = build_kernel()
    symbols = load_kernel(image).symbols
    assert symbols is not None
    nm = shutil.which("nm") or shutil.which("llvm-nm")
    if nm is None:
        assert len(symbols.values) == len(symbols.globals)
        return
    text = tmp_path / "kernel.nm"
    text.write_bytes(run_command((nm, str(image))).output)
    listed = load_kernel(text, "amd64", CURRENT).symbols
    assert listed is not None
    assert listed.globals == symbols.globals
    assert listed.weak == symbols.weak
    assert listed.absolute == symbols.absolute
    assert dict(listed.values) == dict(symbols.values)


def test_dtrace_and_diagnostic_show_in_the_symbols(build_kernel: Callable[..., Path]) -> None:
    extra = (
        "void (*sdt_probe_func)(void);\n"
        "static __attribute__((used)) void vstate_assert_get(void) { }\n"
    )
    kernel = load_kernel(build_kernel(extra=extra))
    assert kernel.has_dtrace
    assert kernel.has_diagnostic


def test_a_gzipped_image_is_the_same_kernel(
    build_kernel: Callable[..., Path], tmp_path: Path
) -> None:
    packed = tmp_path / "netbsd.gz"
    packed.write_bytes(gzip.compress(build_kernel().read_bytes()))
    assert load_kernel(packed) == load_kernel(build_kernel())


def test_a_saved_map_is_the_kernel_and_always_the_same_bytes(
    build_kernel: Callable[..., Path], tmp_path: Path
) -> None:
    kernel = load_kernel(build_kernel())
    one, two = tmp_path / "one.kmap.gz", tmp_path / "two.kmap.gz"
    save_kernel(kernel, one)
    save_kernel(load_kernel(one), two)
    assert load_kernel(two) == kernel
    assert one.read_bytes() == two.read_bytes()
    bare = Kernel("amd64", CURRENT)
    assert parse_kernel_map(gzip.decompress(render_kernel_map(bare))) == bare


def test_a_map_with_a_few_values_keeps_them() -> None:
    symbols = SymbolMap(frozenset({"a", "b", "c"}), values={"b": 4096})
    kernel = Kernel("amd64", CURRENT, symbols=symbols, builtins=())
    assert parse_kernel_map(gzip.decompress(render_kernel_map(kernel))) == kernel


def test_the_shipped_map_loads_fast_and_is_the_generic_kernel() -> None:
    path = shipped_path("toolchain") / "kernel" / "amd64-10.99.12-GENERIC.kmap.gz"
    times = []
    for _ in range(5):
        begin = time.process_time()
        kernel = load_kernel(path, "amd64", CURRENT)
        times.append(time.process_time() - begin)
    assert min(times) < 0.1  # of processor time; 0.015 s on an idle machine
    assert kernel.symbols is not None
    assert len(kernel.symbols.globals) == 16861
    assert {"printf", "kmem_alloc", "mutex_enter"} <= kernel.symbols.globals
    assert "device_register_post_config" in kernel.symbols.weak
    assert len(kernel.builtins or ()) == 146
    assert kernel.find_builtin("ffs") is not None
    assert kernel.has_dtrace
    assert kernel.modules_directory == "/stand/amd64/10.99.12/modules"


def test_a_stripped_kernel_is_refused_with_the_mend(build_kernel: Callable[..., Path]) -> None:
    with pytest.raises(BuildsysError, match=r"stripped.*give the unstripped netbsd or netbsd\.gdb"):
        load_kernel(build_kernel(flags=("-s",)))


def test_a_kernel_of_few_globals_counts_as_stripped(build_kernel: Callable[..., Path]) -> None:
    with pytest.raises(BuildsysError, match="only 5 global symbols are left"):
        load_kernel(build_kernel(names=0))


def test_a_truncated_kernel_is_refused(build_kernel: Callable[..., Path], tmp_path: Path) -> None:
    content = build_kernel().read_bytes()
    for size in (0, 10, 70, len(content) // 2, len(content) - 100):
        cut = tmp_path / "netbsd"
        cut.write_bytes(content[:size])
        with pytest.raises(BuildsysError, match=f"^{cut}: "):
            load_kernel(cut)


def test_a_truncated_gzip_is_refused(build_kernel: Callable[..., Path], tmp_path: Path) -> None:
    packed = gzip.compress(build_kernel().read_bytes())
    cut = tmp_path / "netbsd.gz"
    cut.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(BuildsysError, match="the gzip file is cut short"):
        load_kernel(cut)
    cut.write_bytes(packed[:20] + b"\xff\xff\xff" + packed[23:])
    with pytest.raises(BuildsysError, match=r"netbsd\.gz: "):
        load_kernel(cut)


@pytest.mark.parametrize(
    ("mebibytes", "cut", "message"),
    [
        (200, None, "unpacks to more than 128"),
        (127, -8, "cut short"),
        (127, None, "expected a ker"),
    ],
)
def test_a_gzip_bomb_takes_less_than_256_mib(
    tmp_path: Path, mebibytes: int, cut: int | None, message: str
) -> None:
    bomb = tmp_path / "netbsd.gz"
    bomb.write_bytes(gzip.compress(bytes(mebibytes << 20), 1)[:cut])
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (256 << 20), before[1]))
    try:
        with pytest.raises(BuildsysError, match=message):
            load_kernel(bomb)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def test_a_gzip_bomb_is_refused(tmp_path: Path) -> None:
    bomb = tmp_path / "netbsd.gz"
    bomb.write_bytes(compress(bytes(129 << 20)))
    with pytest.raises(BuildsysError, match="unpacks to more than 128"):
        load_kernel(bomb)


def test_a_kernel_of_another_machine_or_version_is_refused(
    build_kernel: Callable[..., Path],
) -> None:
    with pytest.raises(BuildsysError, match="for amd64, the modules are for i386: give a i386"):
        load_kernel(build_kernel(), "i386")
    with pytest.raises(BuildsysError, match=r"NetBSD 10\.99\.12, the modules are for 10\.1: give"):
        load_kernel(build_kernel(), "amd64", parse_version("10.1"))


def test_an_n32_kernel_goes_by_the_name_of_its_modules(build_kernel: Callable[..., Path]) -> None:
    assert load_kernel(build_kernel("evbmips"), "mips-n32").machine == "mips-n32"
    with pytest.raises(BuildsysError, match="for amd64"):
        load_kernel(build_kernel("amd64"), "mips-n32")


def test_an_object_or_a_foreign_program_is_no_kernel(
    build_kernel: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(BuildsysError, match="an object file or a module"):
        load_kernel(build_kernel().with_suffix(".o"))
    foreign = tmp_path / "program"
    foreign.write_bytes(build_kernel().read_bytes().replace(b"NetBSD\0", b"OtherX\0"))
    with pytest.raises(BuildsysError, match=r"no \.note\.netbsd\.ident"):
        load_kernel(foreign)


def test_nm_text_needs_machine_and_version(tmp_path: Path) -> None:
    path = tmp_path / "netbsd.nm"
    path.write_text(NM)
    with pytest.raises(BuildsysError, match="neither the machine nor the version"):
        load_kernel(path, "amd64")
    kernel = load_kernel(path, "amd64", CURRENT, name="TEST")
    assert kernel.symbols is not None
    assert kernel.symbols.absolute == {"__PAGE_SIZE"}
    assert "gone" not in kernel.symbols.globals | kernel.symbols.weak | kernel.symbols.local
    assert kernel.builtins is None


def test_nm_text_without_addresses_and_gzipped_is_read(tmp_path: Path) -> None:
    path = tmp_path / "netbsd.nm.gz"
    path.write_bytes(compress(b"T one\nW two\nt three\nA four\n"))
    builtins = tmp_path / "builtin.json"
    entry = {"name": "ffs", "class": "vfs", "version": 1099001200, "required": "ufs"}
    builtins.write_text(json.dumps([entry]))
    kernel = load_kernel(path, "amd64", CURRENT, builtins=builtins)
    symbols = SymbolMap(
        frozenset({"one", "four"}), frozenset({"four"}), frozenset({"two"}), frozenset({"three"})
    )
    assert kernel.symbols == symbols
    assert kernel.builtins == (BuiltinModule("ffs", 2, 1099001200, ("ufs",)),)


def test_nm_text_with_local_symbols_names_the_built_in_modules(tmp_path: Path) -> None:
    entries = "d __link_set_modules_sym_ffs_modinfo\nr __link_set_modules_sym_aes_modinfo\n"
    path = tmp_path / "netbsd.nm"
    path.write_text(f"{NM}{entries}r module_netbsd_modinfo\n")
    builtins = load_kernel(path, "amd64", CURRENT).builtins
    assert builtins == (BuiltinModule("aes", 1, 1099001200), BuiltinModule("ffs", 1, 1099001200))


def test_a_dump_of_dev_ksyms_is_a_kernel(build_kernel: Callable[..., Path], tmp_path: Path) -> None:
    image = build_kernel()
    elf = read_elf(image)
    symtab, note = elf.find_section(".symtab"), elf.find_section(".note.netbsd.ident")
    assert symtab is not None
    assert note is not None
    # like /dev/ksyms: header, sections, note, symbols, names; all symbols in a section without end
    parts = [bytes(elf.content(s)) for s in (note, symtab, elf.sections[symtab.link])]
    table = bytearray(parts[1])
    for at in range(24, len(table), 24):
        if table[at + 6 : at + 8] != b"\xf1\xff":
            table[at + 6 : at + 8] = b"\4\0"
    names = b"\0.note.netbsd.ident\0.symtab\0.strtab\0.bss\0"
    start = 64 + 5 * 64 + len(names)
    offsets = [start, start + len(parts[0]), start + len(parts[0]) + len(table)]
    entry = struct.Struct("<IIQQQQIIQQ").pack
    headers = entry(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    headers += entry(1, 7, 0, 0, offsets[0], len(parts[0]), 0, 0, 4, 0)
    headers += entry(20, 2, 0, 0, offsets[1], len(table), 3, 1, 8, 24)
    headers += entry(28, 3, 0, 0, offsets[2], len(parts[2]), 0, 0, 1, 0)
    headers += entry(36, 8, 6, 0, 0, (1 << 64) - 1, 0, 0, 4096, 0)
    header = bytearray(image.read_bytes()[:64])
    header[40:48] = struct.pack("<Q", 64 + len(names))
    header[60:64] = struct.pack("<HH", 5, 3)
    path = tmp_path / "ksyms"
    path.write_bytes(bytes(header) + names + headers + parts[0] + table + parts[2])
    kernel, whole = load_kernel(path), load_kernel(image)
    assert (kernel.machine, kernel.version) == ("amd64", CURRENT)
    assert kernel.symbols == whole.symbols
    assert kernel.builtins is None


@pytest.mark.parametrize(
    "text",
    ["", "hello\n", "T one\nthis is no line of nm\nnor this\nnor that\nnor those\n", "T a\n\0\n"],
)
def test_other_text_is_no_kernel(tmp_path: Path, text: str) -> None:
    path = tmp_path / "netbsd"
    path.write_text(text)
    with pytest.raises(BuildsysError, match=r"netbsd: expected"):
        load_kernel(path, "amd64", CURRENT)


@pytest.mark.parametrize(
    "text", ["[]", '{"name": 1}', '[{"name": "x"}]', '[{"name":"x","class":"no"}]', "[[[[", "\0"]
)
def test_a_wrong_list_of_builtins_is_refused(tmp_path: Path, text: str) -> None:
    path, builtins = tmp_path / "netbsd.nm", tmp_path / "builtin.json"
    path.write_text(NM)
    builtins.write_text(text)
    if text == "[]":
        assert load_kernel(path, "amd64", CURRENT, builtins=builtins).builtins == ()
        return
    with pytest.raises(BuildsysError, match="expected a JSON list of objects"):
        load_kernel(path, "amd64", CURRENT, builtins=builtins)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ((b'"format":2', b'"format":1'), "of format 1"),
        ((b'"machine":"amd64"', b'"machine":7'), "damaged"),
        ((b'"version":1099001200', b'"version":"x"'), "damaged"),
        ((b'"builtins":[]', b'"builtins":[1]'), "damaged"),
        ((b'"builtins":[]', b'"builtins":[["a",1e999,1,[]]]'), "damaged"),
        ((b'"symbols":', b'"symbolz":'), "damaged"),
        ((b"}", b""), "damaged"),
    ],
)
def test_a_damaged_map_is_refused(tmp_path: Path, change: tuple[bytes, bytes], says: str) -> None:
    kernel = Kernel("amd64", CURRENT, symbols=SymbolMap(frozenset({"a"})), builtins=())
    content = gzip.decompress(render_kernel_map(kernel))
    assert change[0] in content
    path = tmp_path / "kernel.kmap.gz"
    path.write_bytes(compress(content.replace(*change)))
    with pytest.raises(BuildsysError, match=says):
        load_kernel(path)


def test_want_of_memory_to_unpack_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kernel.nm.gz"
    path.write_bytes(gzip.compress(b"ffffffff80200000 T printf\n"))
    refused = OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
    monkeypatch.setattr(load.mmap, "mmap", mock.Mock(side_effect=refused))
    with pytest.raises(BuildsysError, match=r"kernel.nm.gz: cannot unpack: Cannot allocate memory"):
        load_kernel(path, "amd64")
