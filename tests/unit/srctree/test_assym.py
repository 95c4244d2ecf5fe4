"""assym.h from genassym.cf, through a real compiler for several machines."""

import os
import subprocess
from pathlib import Path

import pytest

from buildsys.base.errors import BuildsysError
from buildsys.pipeline.assym import render_assym_header, render_assym_source
from buildsys.toolchain.discover import load_toolchain
from buildsys.toolchain.machine import load_machine

CONFIG = """
# comment
config long n
quote struct pair { char first; long second; };
struct pair
member P_SECOND second
member first
define\tNEGATIVE\t-1
define WRAPS (unsigned int)0xffffffff
define WIDE 0x123456789abcLL
if 0
define NEVER 1
endif
quote #define FIVE 5
export FIVE
"""


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("amd64", {"pair_SIZEOF": 16, "P_SECOND": 8}),
        ("i386", {"pair_SIZEOF": 8, "P_SECOND": 4}),
        ("sparc64", {"pair_SIZEOF": 16, "P_SECOND": 8}),
        ("macppc", {"pair_SIZEOF": 8, "P_SECOND": 4}),
    ],
)
def test_numbers_are_those_of_the_machine(
    tmp_path: Path, label: str, expected: dict[str, int]
) -> None:
    compiler = load_toolchain("zig", load_machine(label, None), None, os.environ).cc.argv
    source, compiled = tmp_path / "a.c", tmp_path / "a.o"
    source.write_text(render_assym_source(CONFIG, Path("genassym.cf")))
    subprocess.run((*compiler, "-O2", "-c", source, "-o", compiled), check=True)
    lines = (line.split() for line in render_assym_header(compiled).splitlines())
    found = {name: int(value) for _, name, value in lines}
    assert found == {
        **expected, "first": 0, "NEGATIVE": -1, "WRAPS": -1, "WIDE": 0x123456789ABC, "FIVE": 5,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nonsense here", "nonsense: expected a word of genassym.cf"),
        ("define ONE", "ONE: expected a name and its value"),
        ("define 1a 2", "1a: expected a name and its value"),
    ],
)
def test_a_line_that_is_none_is_named(line: str, message: str) -> None:
    with pytest.raises(BuildsysError, match=f"^g.cf:2: {message}"):
        render_assym_source(f"\n{line}\n", Path("g.cf"))
