"""Small objects from a real compiler, for machines of both widths and byte orders."""

from collections.abc import Callable
from pathlib import Path

import pytest
import ziglang

from buildsys.base.command import run_command

ZIG = str(Path(ziglang.__file__).parent / "zig")
FLAGS = ("-ffreestanding", "-fno-pic", "-fno-asynchronous-unwind-tables", "-nostdinc", "-O1")

# machine name to clang's target and flags
TARGETS: dict[str, tuple[str, ...]] = {
    "x86_64": ("x86_64--netbsd", "-mcmodel=kernel", "-mno-red-zone"),
    "i386": ("i386--netbsd",),
    "aarch64": ("aarch64--netbsd",),
    "aarch64_be": ("aarch64_be--netbsd",),
    "armv7hf": ("armv7--netbsd-eabihf",),
    "powerpc": ("powerpc--netbsd",),
    "sparc64": ("sparc64--netbsd",),
    "mips": ("mips--netbsd", "-mno-abicalls"),
    "mipsel": ("mipsel--netbsd", "-mno-abicalls"),
    "mips64": ("mips64--netbsd", "-mno-abicalls"),
    "mips64el": ("mips64el--netbsd", "-mno-abicalls"),
    "riscv64": ("riscv64--netbsd", "-mno-relax", "-mcmodel=medany"),
}

SOURCE = """
struct modinfo {
    unsigned version; int module_class; int (*modcmd)(int, void *);
    const char *name; const char *required;
};
extern int printf(const char *, ...);
extern int offered[];
__attribute__((weak)) extern int maybe(void);
__attribute__((weak)) int weakly(void) { return 7; }
int shared_counter = 3;
static int hidden[40];
int common_like[1000];
static int sample_modcmd(int cmd, void *arg) {
    hidden[cmd] += offered[cmd & 3];
    if (maybe) return maybe();
    return printf("%d %p", shared_counter, arg) + weakly() + common_like[cmd];
}
static const struct modinfo sample_modinfo = {
    1099001200u, 3, sample_modcmd, "sample", "ffs,hello"
};
__attribute__((section("link_set_modules"), used))
static const void *const link_sample = &sample_modinfo;
"""

NOTE = """
    .section .note.netbsd.ident,"a",%note
    .p2align 2
    .4byte 7, 4, 1
    .asciz "NetBSD"
    .byte 0
    .4byte 1099001200
"""


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Compile C or assembly text for a machine of TARGETS."""
    directory = tmp_path_factory.mktemp("objects")
    done: dict[tuple[object, ...], Path] = {}

    def compile_text(
        machine: str, text: str, suffix: str = ".c", flags: tuple[str, ...] = ()
    ) -> Path:
        key = (machine, text, suffix, flags)
        if key not in done:
            source = directory / f"object{len(done)}{suffix}"
            source.write_text(text)
            target, *own = TARGETS[machine]
            output = source.with_suffix(".o")
            argv = (ZIG, "clang", "-target", target, *FLAGS, *own, *flags,
                    "-c", str(source), "-o", str(output))  # fmt: skip
            result = run_command(argv, timeout_seconds=120)
            assert result.is_success, result.output.decode()
            done[key] = output
        return done[key]

    return compile_text


@pytest.fixture(params=sorted(TARGETS), scope="session")
def machine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def sample(build: Callable[..., Path], machine: str) -> Path:
    """The sample module for each machine."""
    return build(machine, SOURCE)


@pytest.fixture(scope="session")
def sample_text() -> str:
    return SOURCE


@pytest.fixture(scope="session")
def note_text() -> str:
    return NOTE
