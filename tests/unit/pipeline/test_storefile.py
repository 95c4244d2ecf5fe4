"""The store's database, torn, foreign, locked, or in nobody's reach."""

import sqlite3
from array import array
from contextlib import closing
from pathlib import Path

import pytest
from storing import open_store, prepare, run_step

from buildsys.base.errors import BuildsysError
from buildsys.pipeline import storefile
from buildsys.pipeline.store import Store
from buildsys.pipeline.storefile import Node, StoreFile


def foreign_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE file (something TEXT)")
        database.commit()


def another_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 77")
        database.commit()


def torn_in_the_middle(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for start in range(4096, len(content), 4096):
        content[start : start + 64] = b"\xff" * 64
    path.write_bytes(content)


def rows_of_other_types(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE node SET inputs = 'abc'")
        database.execute("UPDATE file SET digest = 'abc'")
        database.commit()


def rows_lost(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("DELETE FROM file WHERE id = 1")
        database.commit()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"no database at all " * 500),
        lambda path: path.write_bytes(path.read_bytes()[:5000]),
        lambda path: path.write_bytes(path.read_bytes()[:50]),
        torn_in_the_middle,
        another_version,
        rows_of_other_types,
        rows_lost,
    ],
)
def test_a_database_that_cannot_be_read_is_made_anew(tmp_path: Path, spoil: "type[None]") -> None:
    step = prepare(tmp_path)
    with open_store(tmp_path) as store:
        run_step(store, step)
        path = store.path
    spoil(path)
    with open_store(tmp_path) as store:
        assert store.stale_reason(step) == "it had not been made"
        run_step(store, step)
    with open_store(tmp_path) as store:
        assert store.stale_reason(step) == ""


def test_a_database_of_another_program_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "record").mkdir()
    foreign_database(tmp_path / "record/store.sqlite3")
    with open_store(tmp_path) as store:
        assert run_step(store, prepare(tmp_path))


def test_what_keeps_the_database_from_being_opened_is_told(tmp_path: Path) -> None:
    path = tmp_path / "record/store.sqlite3"
    path.mkdir(parents=True)
    with pytest.raises(BuildsysError, match=rf"{path}: cannot open the record of the build"):
        Store(path)


def test_a_database_that_another_program_locks_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(tmp_path) as store:
        path = store.path
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, **_options: connect(path, timeout=0.05))
    with closing(connect(path)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(BuildsysError, match="database is locked"):
            Store(path)


@pytest.mark.parametrize("most", [0, 20])
def test_the_steps_that_read_or_made_files_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(storefile, "_FEW", most)
    with closing(StoreFile(tmp_path / "store.sqlite3")) as file:
        lists = {"a": ([1, 2], [3]), "b": ([3, 256], [4]), "c": ([], [70000]), "d": ([5], [])}
        for name, (inputs, outputs) in lists.items():
            made = b"8 bytes." * len(outputs)
            node = Node(
                b"r", b"k", array("I", inputs), b"", array("I", outputs), made, "reason", b""
            )
            file.save((), name, node)
        file.flush()
        assert file.find_users([]) == set()
        assert file.find_users([3]) == {"a", "b"}
        assert file.find_users([70000, 2]) == {"a", "c"}
        assert file.find_users([6, 7]) == set()
        # These bytes stand in a list, and are of two numbers.
        assert file.find_users([1 << 16, 2 << 24, 3 << 24]) == set()
        assert file.find_users(range(1, 300)) == {"a", "b", "d"}
