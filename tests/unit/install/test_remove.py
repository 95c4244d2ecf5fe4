"""Uninstalling: what was installed goes, and nothing that anyone else put there."""

import os
from pathlib import Path

import installing
import pytest
from installing import place_in

from buildsys.base.errors import BuildsysError
from buildsys.install.layout import InstallPlace
from buildsys.install.lookup import HostSystem
from buildsys.install.receipt import Receipt, load_receipts, receipt_path, write_receipt
from buildsys.install.record import update_metalog
from buildsys.install.remove import uninstall_modules, uninstall_recorded

PLIST = b"<plist/>\n"


def install(
    tmp_path: Path, name: str, plist: bytes | None = None, release: str = "10.99.12"
) -> Receipt:
    content = b"\x7fELF " + name.encode()
    return installing.install(tmp_path, name, content, plist, release, "unused/METALOG")


def files_in(directory: Path) -> list[str]:
    return sorted(
        str(path.relative_to(directory)) for path in directory.rglob("*") if not path.is_dir()
    )


def test_everything_goes_and_stand_stays(tmp_path: Path) -> None:
    receipts = [install(tmp_path, "a", PLIST), install(tmp_path, "b")]
    removal = uninstall_modules(receipts, place_in(tmp_path))
    assert [path.name for path in removal.removed] == ["a.kmod", "a.plist", "b.kmod"]
    assert removal.kept == ()
    assert removal.absent == ()
    assert [str(path) for path in removal.directories][:2] == [
        "stand/amd64",
        "stand/amd64/10.99.12",
    ]
    assert os.listdir(tmp_path / "destdir") == ["stand"]
    assert os.listdir(tmp_path / "destdir" / "stand") == []


def test_a_kmod_goes_before_its_plist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    receipt = install(tmp_path, "a", PLIST)
    order = []
    real = os.unlink

    def unlink(path: str, *, dir_fd: int | None = None) -> None:
        order.append(path)
        real(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", unlink)
    uninstall_modules([receipt], place_in(tmp_path))
    assert order == ["a.kmod", "a.plist"]


def test_other_modules_versions_and_files_stay(tmp_path: Path) -> None:
    receipt = install(tmp_path, "a")
    install(tmp_path, "b")
    install(tmp_path, "a", release="10.99.13")
    (tmp_path / "destdir" / receipt.kmod.parent / "README").write_bytes(b"")
    removal = uninstall_modules([receipt], place_in(tmp_path))
    assert removal.directories == ()
    assert files_in(tmp_path / "destdir") == [
        "stand/amd64/10.99.12/modules/a/README",
        "stand/amd64/10.99.12/modules/b/b.kmod",
        "stand/amd64/10.99.13/modules/a/a.kmod",
    ]


def test_a_file_that_someone_changed_is_kept_and_named_unless_forced(tmp_path: Path) -> None:
    receipt = install(tmp_path, "a", PLIST)
    kmod = tmp_path / "destdir" / receipt.kmod
    kmod.unlink()
    kmod.write_bytes(b"another build")
    removal = uninstall_modules([receipt], place_in(tmp_path))
    assert [(file.target, file.reason) for file in removal.kept] == [
        (receipt.kmod, "not the file that was installed")
    ]
    assert kmod.read_bytes() == b"another build"
    forced = uninstall_modules([receipt], place_in(tmp_path), is_forced=True)
    assert forced.removed == (receipt.kmod,)
    assert not kmod.parent.exists()


@pytest.mark.parametrize("is_forced", [False, True])
def test_a_link_or_directory_in_place_of_the_file_stays_always(
    tmp_path: Path, is_forced: bool
) -> None:
    receipts = [install(tmp_path, "a"), install(tmp_path, "b")]
    link, directory = (tmp_path / "destdir" / receipt.kmod for receipt in receipts)
    link.unlink()
    link.symlink_to(tmp_path / "obj/a.kmod")
    directory.unlink()
    directory.mkdir()
    removal = uninstall_modules(receipts, place_in(tmp_path), is_forced)
    assert {file.reason for file in removal.kept} == {"not a regular file any more"}
    assert link.is_symlink()
    assert directory.is_dir()
    assert (tmp_path / "obj/a.kmod").exists()


def test_files_that_are_gone_already_are_absent(tmp_path: Path) -> None:
    receipts = [install(tmp_path, "a", PLIST), install(tmp_path, "b")]
    (tmp_path / "destdir" / receipts[0].kmod).unlink()
    place = place_in(tmp_path)
    assert [path.name for path in uninstall_modules(receipts, place).absent] == ["a.kmod"]
    again = uninstall_modules(receipts, place)
    assert [path.name for path in again.absent] == ["a.kmod", "a.plist", "b.kmod"]
    assert again.removed == ()
    assert again.directories == ()


def test_nothing_is_removed_through_a_link(tmp_path: Path) -> None:
    receipt = install(tmp_path, "a")
    stand = tmp_path / "destdir" / "stand"
    stand.rename(tmp_path / "elsewhere")
    stand.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BuildsysError, match=r"stand: a symbolic link to .*elsewhere stands"):
        uninstall_modules([receipt], place_in(tmp_path))
    assert files_in(tmp_path / "elsewhere") == ["amd64/10.99.12/modules/a/a.kmod"]


def test_uninstalling_from_the_root_of_a_foreign_system_is_refused(tmp_path: Path) -> None:
    place = InstallPlace(Path("/"), "amd64", "amd64", "10.99.12")
    with pytest.raises(BuildsysError, match="this is / of a running Linux"):
        uninstall_modules([install(tmp_path, "a")], place, host=HostSystem("Linux", "x86_64"))


def record(tmp_path: Path, *receipts: Receipt) -> tuple[Path, Path]:
    directory, metalog = tmp_path / "receipts", tmp_path / "destdir" / "METALOG"
    directory.mkdir()
    for receipt in receipts:
        write_receipt(receipt_path(directory, receipt.name), receipt)
    update_metalog(metalog, receipts)
    return directory, metalog


def test_receipts_and_metalog_lines_go_with_the_files(tmp_path: Path) -> None:
    directory, metalog = record(tmp_path, install(tmp_path, "a", PLIST), install(tmp_path, "b"))
    removal = uninstall_recorded(directory, place_in(tmp_path), metalog, names={"a"})
    assert [path.name for path in removal.removed] == ["a.kmod", "a.plist"]
    assert [receipt.name for receipt in load_receipts(directory)] == ["b"]
    assert b"/a" not in metalog.read_bytes().replace(b"/amd64", b"")
    uninstall_recorded(directory, place_in(tmp_path), metalog)
    assert load_receipts(directory) == ()
    assert [line.split()[0] for line in metalog.read_bytes().splitlines()] == [b".", b"./stand"]


def test_the_receipt_of_a_kept_file_and_its_line_stay(tmp_path: Path) -> None:
    receipt = install(tmp_path, "a")
    directory, metalog = record(tmp_path, receipt)
    kmod = tmp_path / "destdir" / receipt.kmod
    kmod.unlink()
    kmod.write_bytes(b"changed")
    removal = uninstall_recorded(directory, place_in(tmp_path), metalog)
    assert len(removal.kept) == 1
    assert load_receipts(directory) == (receipt,)
    assert b"a.kmod" in metalog.read_bytes()


def test_receipts_of_another_tree_or_version_are_left_alone(tmp_path: Path) -> None:
    receipt = install(tmp_path, "a")
    directory, metalog = record(tmp_path, receipt)
    for place in (
        place_in(tmp_path, "10.99.13"),
        InstallPlace(tmp_path / "other", "amd64", "amd64", "10.99.12"),
    ):
        assert uninstall_recorded(directory, place, metalog).gone == ()
    assert load_receipts(directory) == (receipt,)
    assert (tmp_path / "destdir" / receipt.kmod).exists()


def test_killed_before_the_receipt_went_the_next_call_finishes(tmp_path: Path) -> None:
    directory, metalog = record(tmp_path, install(tmp_path, "a", PLIST))
    real = os.fsync
    calls = []

    class KilledError(BaseException):
        pass

    def kill_late(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 2:
            raise KilledError
        real(descriptor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", kill_late)
        with pytest.raises(KilledError):
            uninstall_recorded(directory, place_in(tmp_path), metalog)
    uninstall_recorded(directory, place_in(tmp_path), metalog)
    assert load_receipts(directory) == ()
    assert files_in(tmp_path / "destdir") == ["METALOG"]
    assert b"modules" not in metalog.read_bytes()
