"""Damaged and hostile files: always a verdict or one clear error, and little memory."""

import os
import resource
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from buildsys.base.errors import BuildsysError
from buildsys.check.check import check_kmod
from buildsys.check.verdict import Outcome, Verdict
from buildsys.check.verdictfile import parse_verdict, render_verdict
from buildsys.elf.describe import describe_kmod, render_facts
from buildsys.kernel.model import Kernel
from buildsys.kernel.version import KernelVersion

VERSION = KernelVersion(1099001200)
TARGETS = {"x86_64--netbsd": "amd64", "i386--netbsd": "i386", "mips64--netbsd": "evbmips",
           "sparc64--netbsd": "sparc64", "riscv64--netbsd": "riscv"}  # fmt: skip
TEXT = """
    .text
    .globl f
f:  nop
    .section .rodata,"a"
    .p2align 3
mi: .4byte 1099001200, 1
    {p} f, nm, nm
nm: .asciz "sample"
    .section link_set_modules,"a"
    .p2align 3
    {p} mi, other
    .section .note.netbsd.ident,"a"
    .4byte 7, 4, 1
    .asciz "NetBSD"
    .byte 0
    .4byte 1099001200
"""
NUMBERS = (0, 1, 7, 0xFF, 0xFFF1, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 32, 1 << 63, (1 << 64) - 1)
MUTATIONS = st.lists(
    st.tuples(
        st.integers(0, 4000),
        st.sampled_from((1, 2, 4, 8)),
        st.one_of(st.sampled_from(NUMBERS), st.integers(0, 255)),
    ),
    min_size=1,
    max_size=6,
)


@pytest.fixture(scope="module")
def samples(factory: Any) -> list[tuple[bytes, Kernel]]:
    made = []
    for target, machine in TARGETS.items():
        is_wide = "64" in target
        pointer = (".xword" if "sparc" in target else ".8byte") if is_wide else ".4byte"
        content = factory.assemble(TEXT.format(p=pointer), target)
        made.append((content, Kernel(machine, VERSION)))
    return made


def examine(path: Path, kernel: Kernel) -> Verdict | None:
    """Put a file through all that reads kmods; only BuildsysError may come out."""
    message = ""
    try:
        render_facts(describe_kmod(path))
    except BuildsysError as error:
        message = str(error)
    assert not message or message.startswith(str(path))
    verdict = check_kmod(path, kernel, {})
    assert parse_verdict(render_verdict(verdict), path) == verdict
    assert verdict.is_fit or verdict.findings
    return verdict


@settings(
    max_examples=500, deadline=None, derandomize=True,
    suppress_health_check=(HealthCheck.function_scoped_fixture,),
)  # fmt: skip
@given(which=st.integers(0, len(TARGETS) - 1), mutations=MUTATIONS, keep=st.integers(0, 8000))
def test_any_damage_gives_a_verdict(
    samples: list[tuple[bytes, Kernel]],
    tmp_path: Path,
    which: int,
    mutations: list[tuple[int, int, int]],
    keep: int,
) -> None:
    content, kernel = samples[which]
    changed = bytearray(content)
    for place, width, number in mutations:
        at = place % len(changed)
        changed[at : at + width] = (number & ((1 << 8 * width) - 1)).to_bytes(width, "little")
    path = tmp_path / "sample.kmod"
    path.write_bytes(changed[: keep if keep < 1000 else None])
    examine(path, kernel)


@settings(
    max_examples=100, deadline=None, derandomize=True,
    suppress_health_check=(HealthCheck.function_scoped_fixture,),
)  # fmt: skip
@given(content=st.binary(max_size=300))
def test_any_bytes_give_a_verdict(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "sample.kmod"
    for start in (b"", b"\x7fELF\2\1\1", b"\x7fELF\1\2\1"):
        path.write_bytes(start + content)
        verdict = examine(path, Kernel("amd64", VERSION))
        assert verdict is not None
        assert verdict.outcome is Outcome.REFUSED


def test_every_shorter_file_gives_a_verdict(
    samples: list[tuple[bytes, Kernel]], tmp_path: Path
) -> None:
    content, kernel = samples[0]
    path = tmp_path / "sample.kmod"
    for size in range(0, len(content), 3):
        path.write_bytes(content[:size])
        verdict = examine(path, kernel)
        assert verdict is not None
        assert verdict.errno in (8, 22)


def test_a_sparse_file_of_gigabytes_is_refused_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "sample.kmod"
    with path.open("wb") as stream:
        stream.write(b"\x7fELF\2\1\1")
        stream.truncate(5 << 30)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BuildsysError, match="at most 64 MiB"):
        check_kmod(path, Kernel("amd64", VERSION), {})
    with pytest.raises(BuildsysError, match="at most 64 MiB"):
        describe_kmod(path)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 16 << 10  # KiB


def test_special_files_are_refused_at_once(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo.kmod"
    os.mkfifo(fifo)
    with pytest.raises(BuildsysError, match="not a regular file"):
        check_kmod(fifo, Kernel("amd64", VERSION), {})
    directory = tmp_path / "directory.kmod"
    directory.mkdir()
    verdict = check_kmod(directory, Kernel("amd64", VERSION), {})
    assert [finding.rule for finding in verdict.findings] == ["not-elf"]


def test_hostile_names_cannot_reach_the_terminal(factory: Any) -> None:
    path = factory.module("x", extra='.data\n.quad "evil\\033[2Jname"')
    kernel = Kernel("amd64", VERSION)
    bad = factory.patched(path, path.read_bytes().index(b"x\0"), b"\x1b")
    for verdict in (check_kmod(path, kernel, {}), check_kmod(bad, kernel, {})):
        for finding in verdict.findings:
            assert (finding.message + finding.kernel_message).isprintable()
