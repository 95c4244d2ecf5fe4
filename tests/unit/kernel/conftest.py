"""Small kernels: linked images with a version note, a symbol table and built-in modules."""

from collections.abc import Callable
from pathlib import Path

import pytest
import ziglang

from buildsys.base.command import run_command

ZIG = str(Path(ziglang.__file__).parent / "zig")
TARGETS = {
    "amd64": ("x86_64--netbsd", "-mcmodel=kernel"),
    "i386": ("i386--netbsd",),
    "macppc": ("powerpc--netbsd",),
    "evbmips": ("mips64--netbsd", "-mno-abicalls"),
}

SOURCE = """
struct modinfo {
    unsigned version; int module_class; int (*modcmd)(int, void *);
    const char *name; const char *required;
};
char machine[] = "MACHINE";
char machine_arch[] = "MACHINE_ARCH";
const char version[] = "NetBSD 10.99.12 (SMALL) #0: Thu Jan  1 00:00:00 UTC 1970\\n";
__attribute__((weak)) int weak_one(void) { return 1; }
static int local_one(int a, void *b) { return b ? a : 2; }
int (*use_local)(int, void *) = local_one;
static const struct modinfo dummy;
static const struct modinfo first = { 1099001200u, 2, local_one, "firstfs", 0 };
static const struct modinfo second = { 1099001200u, 1, local_one, "second", "firstfs,third" };
__attribute__((section("link_set_modules"), used))
static const void *const set[] = { &dummy, &first, &second };
__asm(".section .note.netbsd.ident,\\"a\\",%note\\n.p2align 2\\n.4byte 7, 4, 1\\n"
      ".asciz \\"NetBSD\\"\\n.byte 0\\n.4byte VERSION\\n.text\\n"
      ".globl absolute_one\\n.set absolute_one, 4096\\n");
"""


@pytest.fixture(scope="session")
def build_kernel(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Link a kernel image of a machine; globals is how many more global functions it has."""
    directory = tmp_path_factory.mktemp("kernels")
    done: dict[tuple[object, ...], Path] = {}

    def link(
        machine: str = "amd64",
        number: int = 1099001200,
        names: int = 300,
        extra: str = "",
        flags: tuple[str, ...] = (),
    ) -> Path:
        key = (machine, number, names, extra, flags)
        if key in done:
            return done[key]
        base = directory / f"kernel{len(done)}"
        text = SOURCE.replace("MACHINE_ARCH", f"{machine}_arch").replace("MACHINE", machine)
        text = text.replace("VERSION", str(number)) + extra
        text += "".join(f"int function_{i}(void) {{ return {i}; }}\n" for i in range(names))
        source, made, image = (base.with_suffix(suffix) for suffix in (".c", ".o", ".elf"))
        source.write_text(text)
        target, *own = TARGETS[machine]
        for argv in (
            (ZIG, "clang", "-target", target, *own, "-ffreestanding", "-fno-pic", "-c",
             str(source), "-o", str(made)),
            (ZIG, "ld.lld", "-e", "0", "-z", "norelro", *flags, "-o", str(image), str(made)),
        ):  # fmt: skip
            result = run_command(argv, timeout_seconds=120)
            assert result.is_success, result.output.decode()
        done[key] = image
        return image

    return link
