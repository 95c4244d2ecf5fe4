"""Locks between processes: one holder, named to others, gone with its process."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from buildsys.base.errors import BuildsysError
from buildsys.base.locks import hold_lock, open_shared

_HOLD = """
import sys, time
from pathlib import Path
from buildsys.base.locks import hold_lock
with hold_lock(Path(sys.argv[1]), "testing"):
    print("held", flush=True)
    time.sleep(30)
"""


def start_holder(path: Path) -> "subprocess.Popen[str]":
    command = (sys.executable, "-c", _HOLD, str(path))
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    return child


def test_a_second_holder_is_told_who_is_first_and_a_killed_one_leaves_no_lock(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a/lock"
    child = start_holder(path)
    with (
        pytest.raises(BuildsysError, match=rf"lock: in use by process {child.pid} \(testing\); w"),
        hold_lock(path, "me"),
    ):
        raise AssertionError
    child.kill()
    child.communicate()
    with hold_lock(path, "me"):
        assert path.read_text() == f"process {os.getpid()} (me)\n"
    with hold_lock(path, "again"):
        pass


def test_a_holder_without_a_name_is_another_run(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with open(path, "wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(BuildsysError, match="in use by another run"), hold_lock(path, "me"):
            raise AssertionError


def test_an_error_inside_lets_go_and_passes_on(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with pytest.raises(OSError, match="inside"), hold_lock(path, "me"):
        raise OSError("inside")
    with hold_lock(path, "me"):
        pass


def test_a_lock_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(BuildsysError, match="file: cannot make"),
        hold_lock(tmp_path / "file/l", ""),
    ):
        raise AssertionError
    with pytest.raises(BuildsysError, match="cannot open the lock"), hold_lock(tmp_path, ""):
        raise AssertionError


def test_a_shared_file_is_read_written_and_cut(tmp_path: Path) -> None:
    path = tmp_path / "METALOG"
    with open_shared(path) as shared:
        assert shared.read() == b""
        shared.write(b"one\ntwo\n", 0)
        shared.write(b"TWO\n", 4)
        assert shared.read() == b"one\nTWO\n"
        shared.truncate(4)
    assert path.read_bytes() == b"one\n"


def test_a_shared_file_that_another_program_locks_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "METALOG"
    path.write_text("")
    code = (
        "import fcntl, sys, time; f = open(sys.argv[1], 'r+'); fcntl.lockf(f, fcntl.LOCK_EX);"
        "print('held', flush=True); time.sleep(float(sys.argv[2]))"
    )
    for seconds in ("30", "0.5"):
        command = (sys.executable, "-c", code, str(path), seconds)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "held\n"
            if seconds == "30":
                with (
                    pytest.raises(BuildsysError, match="another program keeps it locked"),
                    open_shared(path, timeout_seconds=0.1),
                ):
                    raise AssertionError
                child.kill()
            else:
                with open_shared(path, timeout_seconds=20) as shared:
                    shared.write(b"x", 0)
    assert path.read_bytes() == b"x"


def test_a_shared_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildsysError, match="cannot write"), open_shared(tmp_path):
        raise AssertionError
