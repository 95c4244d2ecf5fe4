"""METALOG beside a tree: complete, one line a path, and agreeing with what is on disk."""

import hashlib
import os
import shutil
from pathlib import Path, PurePosixPath

import installing
import pytest

from buildsys.base.command import run_command
from buildsys.install.receipt import Receipt
from buildsys.install.record import forget_in_metalog, metalog_entries, update_metalog

PLIST = b"<plist/>\n"


def install(tmp_path: Path, name: str, plist: bytes | None = None) -> Receipt:
    content = b"\x7fELF " + name.encode() * 100
    return installing.install(tmp_path, name, content, plist, metalog="unused/METALOG")


def read_keywords(metalog: Path) -> dict[str, dict[str, str]]:
    """Read lines of plain names, knowing nothing of the code under test."""
    entries: dict[str, dict[str, str]] = {}
    for line in metalog.read_text(encoding="ascii").splitlines():
        name, *words = line.split(" ")
        assert name not in entries, f"two lines for {name}"
        entries[name] = dict(word.split("=", 1) for word in words)
    return entries


def describe_tree(destdir: Path) -> dict[str, dict[str, str]]:
    """Say of a tree what its METALOG should; METALOG itself is none of it."""
    entries = {}
    for directory, _, files in os.walk(destdir):
        entries[Path(directory)] = {"type": "dir"}
        entries.update({Path(directory) / name: {"type": "file"} for name in files})
    del entries[destdir / "METALOG"]
    for path, words in entries.items():
        words |= {"uname": "root", "gname": "wheel", "mode": f"0{path.stat().st_mode & 0o7777:o}"}
        if path.is_file():
            content = path.read_bytes()
            words["size"] = str(len(content))
            words["sha256"] = hashlib.sha256(content).hexdigest()
    root = {destdir: "."}
    return {
        root.get(path, f"./{path.relative_to(destdir)}"): words for path, words in entries.items()
    }


def test_metalog_says_what_is_in_the_tree_and_nothing_else(tmp_path: Path) -> None:
    receipts = [install(tmp_path, "hello", PLIST), install(tmp_path, "beta")]
    metalog = tmp_path / "destdir" / "METALOG"
    (tmp_path / "destdir").chmod(0o755)
    assert update_metalog(metalog, receipts)
    assert read_keywords(metalog) == describe_tree(tmp_path / "destdir")
    lines = metalog.read_bytes()
    assert not update_metalog(metalog, receipts)
    assert not update_metalog(metalog, receipts[:1])
    assert metalog.read_bytes() == lines


def test_lines_are_in_an_order_that_mtree_takes(tmp_path: Path) -> None:
    entries = metalog_entries([install(tmp_path, "hello", PLIST), install(tmp_path, "beta")])
    seen: set[PurePosixPath] = set()
    for entry in entries:
        assert set(entry.path.parents) <= seen
        seen.add(entry.path)
    assert str(entries[0].path) == "."


def test_the_line_of_a_plist_that_is_no_more_goes(tmp_path: Path) -> None:
    metalog = tmp_path / "destdir" / "METALOG"
    first = install(tmp_path, "hello", PLIST)
    update_metalog(metalog, [first])
    assert b"hello.plist" in metalog.read_bytes()
    update_metalog(metalog, [install(tmp_path, "hello")])
    assert b"hello.plist" not in metalog.read_bytes()
    assert b"hello.kmod" in metalog.read_bytes()


def test_what_others_wrote_stays_byte_for_byte(tmp_path: Path) -> None:
    metalog = tmp_path / "METALOG"
    foreign = (
        b". type=dir mode=0755\n./bin type=dir mode=0755\n./bin/a\\sb type=file mode=0555 size=1\n"
        b"./stand type=dir mode=0755\n./stand type=dir mode=0755\n# a comment\n"
    )
    metalog.write_bytes(foreign)
    update_metalog(metalog, [install(tmp_path, "hello")])
    repeat = b"./stand type=dir mode=0755\n"
    kept = foreign.replace(repeat, b"", 1)
    assert metalog.read_bytes().startswith(kept)
    assert metalog.read_bytes().count(b"./stand ") == 1


def test_forgetting_takes_the_lines_away_and_makes_no_metalog(tmp_path: Path) -> None:
    metalog = tmp_path / "METALOG"
    receipt = install(tmp_path, "hello")
    assert not forget_in_metalog(metalog, [receipt.kmod])
    assert not metalog.exists()
    update_metalog(metalog, [receipt])
    assert forget_in_metalog(metalog, [receipt.kmod])
    assert b"hello.kmod" not in metalog.read_bytes()
    assert not forget_in_metalog(metalog, [])


def test_an_update_of_the_second_run_replaces_what_stock_install_appended(tmp_path: Path) -> None:
    receipt = install(tmp_path, "hello")
    metalog = tmp_path / "METALOG"
    parents = [path for path in reversed(receipt.kmod.parents) if path.parts]
    stock = [f"./{path} type=dir mode=0755\n" for path in parents]
    stock.append(f"./{receipt.kmod} type=file uname=root gname=wheel mode=0444 size=1\n")
    metalog.write_text("".join(stock * 2))
    update_metalog(metalog, [receipt])
    found = read_keywords(metalog)
    assert list(found) == [".", *(f"./{path}" for path in parents), f"./{receipt.kmod}"]
    assert found[f"./{receipt.kmod}"]["size"] == str(receipt.files[0].size)


@pytest.mark.skipif(shutil.which("mtree") is None, reason="mtree(8) is a second opinion only")
def test_mtree_reads_metalog_and_agrees_with_the_tree(tmp_path: Path) -> None:
    destdir = tmp_path / "destdir"
    receipts = [install(tmp_path, "hello", PLIST), install(tmp_path, "a b#c\\d\x1c#é~")]
    destdir.chmod(0o755)
    metalog = tmp_path / "METALOG"
    update_metalog(metalog, receipts)
    users = tmp_path / "users"
    users.mkdir()
    (users / "master.passwd").write_text(f"root:*:{os.getuid()}:0::0:0::/:/bin/sh\n")
    (users / "group").write_text(f"wheel:*:{destdir.stat().st_gid}:root\n")
    agree = ("mtree", "-N", str(users), "-p", str(destdir), "-f", str(metalog))
    result = run_command(agree)
    assert (result.status, result.output) == (0, b"")
    dump = run_command(("mtree", "-C", "-N", str(users), "-k", "all", "-f", str(metalog)))
    assert dump.status == 0
    assert len(dump.output.splitlines()) == len(metalog.read_bytes().splitlines()) == 10
    kmod = destdir / receipts[0].kmod
    kmod.chmod(0o644)
    assert run_command(agree).status == 2
