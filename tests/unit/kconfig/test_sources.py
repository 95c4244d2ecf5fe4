"""files.* of a small tree of our own, and the definitions in its sources."""

from pathlib import Path

import pytest

from buildsys.base.errors import BuildsysError
from buildsys.kconfig.definitions import find_definitions
from buildsys.kconfig.language import KernelSources, read_kernel_sources
from buildsys.kconfig.spelling import describe_condition

TREE = {
    "conf/files": """
# options
defflag opt_loud.h LOUD LOUDER : QUIET
defparam opt_size.h SIZE=3
deffs SMALLFS
device gadget { [where = -1] } : bus
define helper
defpseudo pipe0: helper
file kern/main.c
file "kern/with space.c" loud
file dev/gadget.c gadget | (helper &
\t!loud) needs-flag
file fs/small.c smallfs needs-count compile with "cc"
file twice.c loud
file twice.c helper
include "extra/files.extra"
cinclude "absent"
""",
    "extra/files.extra": 'prefix extra/deep\nfile inner.c smallfs\nprefix\nfile outer.c\n'
    'include "conf/files"\n',
    "arch/toaster/conf/files.toaster": "file arch/toaster/start.S\n",
    "kern/main.c": """
extern int counter;
int caller(void);
int
caller(void)
{
\treturn called(1);
}
static int hidden(void) { return 0; }
int counter = 5;
struct gadget *table[4];
int one_line(int a) { return a; }
""",
    "dev/gadget.c": "void\ncalled(int a)\n{\n}\nint called_by_none;\n",
    "fs/small.c": "#define counter 5\nint f(void){ return counter; }\n",
    "arch/toaster/start.S": "ENTRY(start_here)\n\tnop\nlabel_here:\n",
}  # fmt: skip


@pytest.fixture
def sources(tmp_path: Path) -> KernelSources:
    for name, text in TREE.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return read_kernel_sources(tmp_path, "toaster")


def test_files_and_their_conditions_are_read(sources: KernelSources) -> None:
    assert {file.path: file.condition for file in sources.files} == {
        "kern/main.c": "",
        "kern/with space.c": "loud",
        "dev/gadget.c": "gadget | (helper & !loud)",
        "fs/small.c": "smallfs",
        "twice.c": "loud | helper",
        "extra/deep/inner.c": "smallfs",
        "outer.c": "",
        "arch/toaster/start.S": "",
    }


@pytest.mark.parametrize(
    ("condition", "spelled"),
    [
        ("", "every kernel"),
        ("loud", "options LOUD"),
        ("gadget | (helper & !loud)", "device gadget | (the attribute helper & !options LOUD)"),
        ("smallfs & pipe0", "file-system SMALLFS & pseudo-device pipe0"),
        ("unheard", "unheard"),
    ],
)
def test_a_condition_is_spelled_as_a_configuration_does(
    sources: KernelSources, condition: str, spelled: str
) -> None:
    assert describe_condition(sources, condition) == spelled


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("caller", [("kern/main.c", 5)]),
        ("counter", [("kern/main.c", 10)]),
        ("table", [("kern/main.c", 11)]),
        ("one_line", [("kern/main.c", 12)]),
        ("called", [("dev/gadget.c", 2)]),
        ("called_by_none", [("dev/gadget.c", 5)]),
        ("start_here", [("arch/toaster/start.S", 1)]),
        ("label_here", [("arch/toaster/start.S", 3)]),
        ("hidden", []),
        ("nowhere", []),
    ],
)
def test_definitions_are_found_and_uses_are_not(
    sources: KernelSources, name: str, places: list[tuple[str, int]]
) -> None:
    found = find_definitions(sources, [name, ""]).get(name, ())
    assert [(place.file.path, place.line) for place in found] == places


def test_a_tree_without_conf_files_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BuildsysError, match="conf/files: cannot read"):
        read_kernel_sources(tmp_path, "toaster")
