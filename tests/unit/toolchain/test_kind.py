"""Kinds: which there are, which is chosen, and what is wrong with a bad file."""

from pathlib import Path

import pytest

from buildsys.base.errors import BuildsysError, UsageError
from buildsys.toolchain.kind import ROLES, choose_kind, list_kinds, load_kind, read_kind
from buildsys.toolchain.model import LinkStyle

KIND = """\
kind: sample
title: a sample
link: direct
roles:
  cc:
    search: [PATH]
    candidates:
      - {name: cc, family: clang}
    mend: "get it"
  ld:
    search: [PATH, TOOLDIR, "python:thing"]
    candidates:
      - {name: ld, family: lld}
    mend: "get it"
"""


def test_the_embedded_kind_comes_first() -> None:
    assert list_kinds() == ("zig", "gnu", "llvm", "tooldir")


@pytest.mark.parametrize("name", list_kinds())
def test_every_kind_knows_every_role(name: str) -> None:
    kind = load_kind(name)
    assert kind.name == name
    assert {role.name for role in kind.roles} == set(ROLES)


@pytest.mark.parametrize(
    ("option", "configured", "tooldir", "chosen"),
    [
        (None, None, None, "zig"),
        (None, None, "/tools", "tooldir"),
        (None, "llvm", "/tools", "llvm"),
        ("gnu", "llvm", "/tools", "gnu"),
    ],
)
def test_option_beats_configuration_beats_tooldir(
    option: str | None, configured: str | None, tooldir: str | None, chosen: str
) -> None:
    assert choose_kind(option, configured, tooldir) == chosen


def test_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"toolchain msvc is not known; known are zig, gnu, llvm"):
        choose_kind("msvc", None, None)


def test_kind_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sample.yaml"
    path.write_text(KIND)
    kind = read_kind(path)
    assert kind.link_style is LinkStyle.DIRECT
    assert kind.role("ld").search == ("PATH", "TOOLDIR", "python:thing")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("link: direct", "link: sideways", r":3: link: expected one of direct, through-cc"),
        ("  cc:", "  cpp:", r":5: roles\.cpp: unknown key; expected one of cc, ld, "),
        ("search: [PATH]", "search: [HOME]", r":6: roles\.cc\.search: expected TOOLDIR, PATH or"),
        ("family: clang", "family: lld", r":8: roles\.cc\.candidates\.family: expected one of"),
        ("{name: cc, family: clang}", "{name: cc}", r":8: .*the key family is missing"),
        ("title: a sample\n", "", r"the key title is missing"),
    ],
)
def test_mistake_in_a_kind_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = tmp_path / "sample.yaml"
    path.write_text(KIND.replace(old, new, 1))
    with pytest.raises(BuildsysError, match=message) as caught:
        read_kind(path)
    assert str(caught.value).startswith(str(path))


def test_kind_without_a_linker_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sample.yaml"
    path.write_text(KIND.partition("  ld:")[0])
    with pytest.raises(BuildsysError, match=r"roles: the key ld is missing"):
        read_kind(path)
