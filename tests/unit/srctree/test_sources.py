"""MODULE() in a source, and the search for sources."""

import errno
import os
from pathlib import Path

import pytest

from buildsys.module.model import ModuleClass
from buildsys.srctree.sources import SourcePath, read_announcement


@pytest.mark.parametrize(
    ("text", "requires"),
    [
        ("MODULE(MODULE_CLASS_VFS, a, NULL);", ()),
        ('MODULE(MODULE_CLASS_VFS, a, "b,c");', ("b", "c")),
        ('MODULE(MODULE_CLASS_VFS, a, "b"\n\t",c");', ("b", "c")),
        ('#define NEEDS "b,c"\nMODULE(MODULE_CLASS_VFS, a, NEEDS);', ("b", "c")),
        ('#if 1\n#define N "b"\n#else\n#define N "c"\n#endif\nMODULE(MODULE_CLASS_VFS, a, N);',
         ("b", "c")),
        ('MODULE(MODULE_CLASS_VFS, a, "b"\n#if defined(X)\n",c"\n#endif\n);', ("b", "c")),
        ('IF_MODULE(MODULE_CLASS_VFS, a, "b")\n', ("b",)),
        ('/* MODULE(MODULE_CLASS_MISC, x, "y"); */ MODULE(MODULE_CLASS_VFS, a, "b");', ("b",)),
    ],
)  # fmt: skip
def test_class_and_requirements_are_read_from_a_source(
    text: str, requires: tuple[str, ...]
) -> None:
    found = read_announcement(text)
    assert found is not None
    assert (found.kmod_class, found.requires) == (ModuleClass.VFS, requires)


def test_an_extension_of_npf_requires_npf_first() -> None:
    found = read_announcement('NPF_EXT_MODULE(npf_ext_a, "b");')
    assert found is not None
    assert found.requires == ("npf", "b")


def test_a_source_without_module_announces_nothing() -> None:
    assert read_announcement("int module;\n#define MODULE(a, b, c) d\n") is None


def test_a_class_that_is_not_known_is_left_open() -> None:
    found = read_announcement("MODULE(MODULE_CLASS_NEW, a, NULL);")
    assert found is not None
    assert found.kmod_class is None


def test_a_source_is_found_in_make_s_order_and_spelling(tmp_path: Path) -> None:
    for name in ("own", "first", "second"):
        (tmp_path / name).mkdir()
    (tmp_path / "first/a.c").touch()
    (tmp_path / "second/a.c").touch()
    (tmp_path / "second/b.c").touch()
    general = (f"{tmp_path}/first", f"{tmp_path}/second/")
    path = SourcePath(f"{tmp_path}/own", general, {}, {})
    assert path.find("a.c") == f"{tmp_path}/first/a.c"
    assert path.find("b.c") == f"{tmp_path}/second//b.c"
    assert path.find("c.c") is None
    (tmp_path / "own/a.c").touch()
    path = SourcePath(f"{tmp_path}/own", general, {}, {})
    assert path.find("a.c") == f"{tmp_path}/own/a.c"
    by_suffix = SourcePath(f"{tmp_path}/own", general, {".c": (f"{tmp_path}/second",)}, {})
    assert by_suffix.find("b.c") == f"{tmp_path}/second/b.c"


def test_a_macro_of_a_longer_name_is_another() -> None:
    assert read_announcement('MY_NPF_EXT_MODULE(npf_ext_a, "b");') is None


def test_comments_are_left_out_wherever_they_end() -> None:
    text = "/**/ /* * MODULE(MODULE_CLASS_VFS, a, NULL) **/ MODULE(MODULE_CLASS_MISC, b, NULL) /* x"
    found = read_announcement(text)
    assert found is not None
    assert found.kmod_class is ModuleClass.MISC


def test_a_source_is_found_below_a_directory_or_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "other/inner").mkdir(parents=True)
    (tmp_path / "other/inner/a.c").touch()
    (tmp_path / "other/lost.c").symlink_to("nowhere")
    (tmp_path / "third").symlink_to("other/inner")
    general = (f"{tmp_path}/missing", f"{tmp_path}/other", f"{tmp_path}/third")
    path = SourcePath(f"{tmp_path}/own", general, {}, {})
    assert path.find("inner/a.c") == f"{tmp_path}/other/inner/a.c"
    assert path.find("../other/inner/a.c") == f"{tmp_path}/own/../other/inner/a.c"
    assert path.find("a.c") == f"{tmp_path}/third/a.c"
    assert path.find("lost.c") is None


def test_a_directory_that_cannot_be_listed_is_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str) -> list[str]:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    (tmp_path / "a.c").touch()
    monkeypatch.setattr(os, "listdir", refuse)
    path = SourcePath(str(tmp_path), (), {}, {})
    assert (path.find("a.c"), path.find("b.c")) == (f"{tmp_path}/a.c", None)
