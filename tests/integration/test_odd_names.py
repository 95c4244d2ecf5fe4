"""Names that compilers, depfiles and make spell in ways of their own: built once, seen later."""

import json
import os
import shutil

import pytest
from workspace import Workspace

from buildsys.base.errors import BuildsysError
from buildsys.toolchain.discover import load_toolchain
from buildsys.toolchain.machine import load_machine

NAMES = (
    "b\\s", "b\\ s", "b s", " s", "b#s", "b$s", "b%s", "b:s", "b'q", "a;b", "a*b", "a=b", "t\tt",
    "n\u00a0b", "x\\:y", "~t", "-dash",
)  # fmt: skip
_SOURCE = "#include <{header}>\nint number_{number}(void);\nint\nnumber_{number}(void)\n"


def write_module(workspace: Workspace, name: str, settings: str) -> None:
    """Write a module of which each source includes one header, from a directory of its own."""
    shutil.rmtree(workspace.path("modules"))
    place = f"modules/{name}"
    main = "#include <sys/param.h>\n#include <sys/module.h>\n"
    main += f"MODULE(MODULE_CLASS_MISC, {name}, NULL);\n"
    main += f"static int\n{name}_modcmd(modcmd_t cmd, void *arg)\n{{\n\t(void)arg;\n"
    workspace.write(f"{place}/{name}.c", f"{main}\treturn cmd == 9;\n}}\n")
    sources = [f"{name}.c"]
    for number, odd in enumerate(NAMES):
        workspace.write(f"{place}/in {odd}/{odd}.h", f"#define NUMBER {number}\n")
        text = _SOURCE.format(header=f"{odd}.h", number=number)
        workspace.write(f"{place}/{odd}.c", text + "{\n\treturn NUMBER;\n}\n")
        sources.append(f"{odd}.c".replace("$", "$$"))
    places = [f"in {odd}".replace("$", "$$") for odd in NAMES]
    words = f"class: misc\nsources: {json.dumps(sources)}\ninclude: {json.dumps(places)}\n"
    workspace.write(f"{place}/{name}.yaml", words)
    workspace.write("modbuild.yaml", settings)


@pytest.mark.parametrize("kind", ["zig", "gnu"])
def test_files_of_odd_names_are_built_once_and_seen_when_edited(
    workspace: Workspace, kind: str
) -> None:
    try:
        load_toolchain(kind, load_machine("amd64"), None, os.environ)
    except BuildsysError:
        pytest.skip(f"no toolchain {kind} is installed here")
    write_module(workspace, "odd", f"toolchain: {kind}\n")
    workspace.install()
    assert workspace.install().is_nothing_to_do
    shutil.rmtree(workspace.path("obj/.snapshots"))
    assert workspace.install().is_nothing_to_do
    for number, odd in enumerate(NAMES):
        workspace.write(f"modules/odd/in {odd}/{odd}.h", f"#define NUMBER {number + 100}\n")
    out = workspace.install().out
    missed = [odd for odd in NAMES if f"compile  odd/{odd}.o\n" not in out]
    assert not missed, out
    assert workspace.digests() == workspace.build_anew()


def test_directories_of_odd_names_are_built_in(workspace: Workspace) -> None:
    inner = workspace.path("b\\s a=*\udcff\t$ '\"#")
    inner.mkdir()
    workspace.path("modules").rename(inner / "modules")
    own = Workspace(inner)
    assert own.run("install").status == 0
    assert own.install().is_nothing_to_do
    own.edit("modules/alpha/alpha.h", "STEP 1", "STEP 2")
    assert own.install().steps >= {"compile:alpha/alpha.o", "compile:beta/beta.o"}
    assert own.digests() == own.build_anew()
