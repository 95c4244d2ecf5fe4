"""The record of evaluations: good until a file that decided one changes."""

import os
from pathlib import Path

import pytest

from buildsys.srctree.cache import EvaluationCache
from buildsys.srctree.query import Evaluation


def make_cache(path: Path, key: str = "key") -> EvaluationCache:
    return EvaluationCache(path / "record.json", key)


def fill(path: Path) -> None:
    (path / "Makefile").write_text("KMOD= a\n")
    (path / "behind").write_text("1\n")
    probes = ((str(path / "absent"), False), (str(path / "behind"), True))
    said = Evaluation(str(path), {"KMOD": "a"}, (str(path / "Makefile"),), probes)
    cache = make_cache(path)
    cache.add(said, [str(path / "behind")])
    cache.add_note(str(path / "behind"), ["misc", "b"])
    cache.save()


def test_what_was_said_is_found_again(tmp_path: Path) -> None:
    fill(tmp_path)
    found = make_cache(tmp_path).find(str(tmp_path))
    assert found is not None
    assert found.values == {"KMOD": "a"}
    assert make_cache(tmp_path).note(str(tmp_path / "behind")) == ["misc", "b"]


@pytest.mark.parametrize("name", ["Makefile", "behind"])
def test_a_changed_file_makes_it_stale(tmp_path: Path, name: str) -> None:
    fill(tmp_path)
    (tmp_path / name).write_text("other\n")
    assert make_cache(tmp_path).find(str(tmp_path)) is None


def test_a_changed_time_alone_does_not(tmp_path: Path) -> None:
    fill(tmp_path)
    os.utime(tmp_path / "Makefile", (1, 1))
    assert make_cache(tmp_path).find(str(tmp_path)) is not None


def test_a_file_that_comes_where_none_was_makes_it_stale(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "absent").touch()
    assert make_cache(tmp_path).find(str(tmp_path)) is None


def test_another_key_makes_all_stale(tmp_path: Path) -> None:
    fill(tmp_path)
    assert make_cache(tmp_path, "other").find(str(tmp_path)) is None


@pytest.mark.parametrize("text", ["", "{", '{"format": 0}', "[]", '{"format": 6, "files": 3}'])
def test_a_damaged_record_is_as_good_as_none(tmp_path: Path, text: str) -> None:
    fill(tmp_path)
    (tmp_path / "record.json").write_text(text)
    assert make_cache(tmp_path).find(str(tmp_path)) is None
