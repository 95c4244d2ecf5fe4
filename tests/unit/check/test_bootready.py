"""Can a kernel mount its root: kernels, modules and boot.cfg in all their combinations."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from buildsys.base.value import replace
from buildsys.check.bootcfg import parse_boot_cfg
from buildsys.check.bootready import RootQuestion, check_root
from buildsys.check.kmodfile import KmodCache
from buildsys.kernel.model import Kernel

Ask = Callable[..., list[tuple[str, str]]]


@pytest.fixture
def ask(factory: Any, kernel: Kernel) -> Ask:
    def found(
        file_system: str, boot: str | None, on: Kernel = kernel, **modules: dict[str, Any]
    ) -> list[tuple[str, str]]:
        kmods: dict[str, Path] = {
            n: factory.module(n, **{"module_class": 2, **c}) for n, c in modules.items()
        }
        question = RootQuestion(
            file_system, None if boot is None else parse_boot_cfg(boot.encode())
        )
        findings = check_root(question, on, kmods, KmodCache(on))
        return [(one.rule, one.message) for one in findings]

    return found


def rules(found: list[tuple[str, str]]) -> list[str]:
    return [rule for rule, _ in found]


def test_what_is_built_in_needs_nothing(ask: Ask) -> None:
    assert ask("ffs", None) == []


def test_what_is_nowhere_cannot_be_mounted(ask: Ask) -> None:
    assert rules(ask("lfs", "")) == ["root-missing"]


def test_a_module_of_another_class_mounts_nothing(ask: Ask) -> None:
    found = ask("tool", "load=tool\n", tool={"module_class": 1})
    assert found == [("root-missing", "tool is of class 1 (misc), no file system")]


def test_a_module_and_what_it_requires_must_be_named_in_order(ask: Ask) -> None:
    modules: dict[str, Any] = {"low": {}, "newfs": {"required": "low,ufs", "module_class": 2}}
    assert ask("newfs", "load=low\nload=newfs\n", **modules) == []
    assert ask("newfs", "load=newfs# low\n", **modules) == [
        ("root-unnamed", "boot.cfg lacks load=low, in this order")
    ]
    assert ask("newfs", None, **modules) == [
        ("root-to-name", "boot.cfg must have load=low, load=newfs, in this order")
    ]


def test_the_x86_loaders_add_some_by_themselves_and_others_none(ask: Ask, kernel: Kernel) -> None:
    assert ask("msdos", "", msdos={}) == []
    assert ask("ext2fs", "", ext2fs={"required": "ufs"}) == []
    bare = replace(kernel, builtins=())
    assert rules(ask("ffs", "", on=bare, ffs={})) == ["root-unnamed"]
    assert rules(ask("msdos", "", on=replace(kernel, machine="evbarm"), msdos={}))[0] == (
        "root-unnamed"
    )


def test_most_machines_hand_no_modules_over(ask: Ask, kernel: Kernel) -> None:
    on = replace(kernel, machine="sparc64", machine_arch="sparc64")
    assert rules(ask("msdos", "load=msdos", on=on, msdos={})) == ["root-handover"]


def test_a_module_that_does_not_load_does_not_help(ask: Ask) -> None:
    broken = ask("lfs", "load=lfs", lfs={"extra": ".data\n.quad nothing"})
    assert broken == [
        ("root-refused", "lfs does not load: undefined-symbol: nothing offers nothing")
    ]
    assert rules(ask("lfs", "load=lfs\nload=gone", lfs={"required": "gone"})) == ["root-refused"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("load=a\n load=no\nload = c\nloads= b\n#load=d\nload=e \n", ("a", "c", "b", "e ")),
        ("menu=One:load a;boot\nmenu=Two:load b;boot;load c\ndefault=2\nload=z", ("z", "b")),
        ("menu=One:load a;boot\ndefault=9", ("a",)),
        ("menu=no colon\nmenu=:rndseed x;load a;boot netbsd", ("a",)),
        ("load=a\nmenu=Off:modules off;load b;boot", ()),
        ("load=a\nmenu=Reset:modules reset;load b;boot", ("b",)),
        ("load=a\nload=a\ntimeout=5\n", ("a",)),
        ("menu=One:load a;boot\nmenu=Two:load b;boot\ndefault=+2nd", ("b",)),
        ("menu=One:load a;boot\nmenu=Two:load b;boot\ndefault=\u0662", ("a",)),
        ("menu=Other:boot\n" * 20 + "menu=Last:load a;boot\ndefault=21\n", ()),
        ("load=a\n\0load=b\n", ("a",)),
        ("load=a\n" + "#" * 32761, ("a",)),
        ("load=a\n" + "#" * 32762, ()),
        ("", ()),
    ],
)
def test_boot_cfg_is_read_as_the_loaders_do(text: str, names: tuple[str, ...]) -> None:
    assert parse_boot_cfg(text.encode()).loaded_by_default == names
