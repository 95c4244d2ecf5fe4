"""Digests and stamps of files, of none, and of what cannot be read."""

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildsys.base.digest import (
    ABSENT,
    DIGEST_BYTES,
    Stamp,
    digest_bytes,
    digest_file,
    digest_parts,
    stat_stamp,
)
from buildsys.base.errors import BuildsysError


def test_a_file_s_digest_is_its_sha256(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for content in (b"", b"x", b"y" * 3_000_000):
        path.write_bytes(content)
        assert digest_file(path) == digest_bytes(content) == hashlib.sha256(content).digest()
        assert len(digest_file(path)) == DIGEST_BYTES


def test_what_is_not_there_has_a_digest_of_its_own_and_no_stamp(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("none", "file/below", "link"):
        assert digest_file(tmp_path / name) == ABSENT
        assert stat_stamp(tmp_path / name) is None


def test_a_stamp_follows_links_and_sees_a_change_that_keeps_size_and_mtime(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("one")
    (tmp_path / "link").symlink_to("x")
    before = stat_stamp(path)
    status = path.stat()
    assert before == Stamp(status.st_ctime_ns, status.st_mtime_ns, 3, status.st_ino)
    assert stat_stamp(tmp_path / "link") == before
    (tmp_path / "y").write_text("two")
    (tmp_path / "y").replace(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert stat_stamp(path) != before


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildsysError, match=rf"^{tmp_path}: cannot read: Is a directory"):
        digest_file(tmp_path)
    name = "x" * 300
    with pytest.raises(BuildsysError, match="cannot read: File name too long"):
        digest_file(tmp_path / name)
    with pytest.raises(BuildsysError, match="cannot look at it: File name too long"):
        stat_stamp(tmp_path / name)


def test_a_link_in_a_circle_leads_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    assert digest_file(tmp_path / "loop") == ABSENT
    assert stat_stamp(tmp_path / "loop") is None


@given(st.lists(st.binary(max_size=4), max_size=4), st.lists(st.binary(max_size=4), max_size=4))
def test_two_sequences_never_run_together(one: list[bytes], other: list[bytes]) -> None:
    assert (digest_parts(*one) == digest_parts(*other)) == (one == other)
