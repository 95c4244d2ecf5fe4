"""The key 'stock': NetBSD's own recipe in a descriptor, and the base that it may have."""

from pathlib import Path, PurePosixPath

import pytest

from buildsys.base.errors import BuildsysError
from buildsys.module.descriptor import load_descriptor
from buildsys.module.model import Language, Module

VARIABLES = {"S": "/src/sys", "NETBSDSRCDIR": "/src", "OBJDIR": "/obj"}
BASE = """
cflags: [-O2, '...', -ffreestanding]
cppflags: [-DA, '...', '-I${CURDIR}']
ldflags: []
system: ${S}
link_script: ${S}/modules/xldscripts/kmodule
install: stand/amd64/10.99.12/modules
"""
OWN = """
sources: ['${S}//dev/tiny.c', '${S}/dev/code.s']
stock:
  base: ../base.yaml
  directory: ${S}/modules/tiny
"""


def load(tmp_path: Path, text: str, base: str = BASE) -> Module:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "base.yaml").write_text(base)
    (tmp_path / "tiny/tiny.yaml").write_text(text)
    return load_descriptor(tmp_path / "tiny/tiny.yaml", VARIABLES)


def test_a_recipe_is_its_own_keys_over_those_of_the_base(tmp_path: Path) -> None:
    module = load(tmp_path, OWN + "  own_cflags: [-g]\n  aflags: [-D_LOCORE]\n")
    recipe = module.recipe
    assert recipe is not None
    assert recipe.cflags == ("-O2", "-g", "-ffreestanding")
    assert recipe.cppflags == ("-DA", "-I/src/sys/modules/tiny")
    assert recipe.aflags == ("-D_LOCORE",)
    assert recipe.link_script == Path("/src/sys/modules/xldscripts/kmodule")
    assert recipe.install_directory == PurePosixPath("stand/amd64/10.99.12/modules")
    assert recipe.debug is None
    assert module.directory == Path("/src/sys/modules/tiny")
    assert not module.has_ident_note
    assert module.kmod_class is None


def test_sources_keep_the_spelling_of_the_makefiles(tmp_path: Path) -> None:
    first, second = load(tmp_path, OWN).units
    assert (first.name, first.source) == ("/src/sys//dev/tiny.c", Path("/src/sys/dev/tiny.c"))
    assert second.language is Language.ASSEMBLY


def test_parsers_and_trampolines_are_read(tmp_path: Path) -> None:
    text = OWN + (
        "  parsers: [{source: '${S}/g.y', argv: [yacc, -d], names: [g.c, g.h]}]\n"
        "  trampolines: {awk: awk, wrap: '${S}/w', tramp: '${S}/t'}\n"
    )
    recipe = load(tmp_path, text).recipe
    assert recipe is not None
    assert recipe.parsers[0].argv == ("yacc", "-d")
    assert recipe.parsers[0].names == ("g.c", "g.h")
    assert recipe.trampolines is not None
    assert (recipe.trampolines.wrap, recipe.trampolines.hide) == (Path("/src/sys/w"), None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (OWN + "  cflogs: []\n", r"tiny.yaml:6: stock.cflogs: unknown key"),
        (OWN.replace("base.yaml", "none.yaml"), r"tiny.yaml:4: stock.base: there is no file"),
        (OWN + "warnings: []\n", r"tiny.yaml:6: warnings: does not go with stock"),
        (OWN.replace("  directory: ${S}/modules/tiny\n", ""), "the key directory is missing"),
        (OWN + "  parsers: [{source: a, argv: [], names: [b]}]\n", "at least one name and one"),
        (OWN + "  cflags: -O2\n", "tiny.yaml:6: stock.cflags: expected a list of strings"),
    ],
)
def test_a_wrong_recipe_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BuildsysError, match=message):
        load(tmp_path, text)


def test_a_base_has_no_base(tmp_path: Path) -> None:
    with pytest.raises(BuildsysError, match="a base has no base of its own"):
        load(tmp_path, OWN, BASE + "base: other.yaml\n")
