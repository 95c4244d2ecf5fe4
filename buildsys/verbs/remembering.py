"""The verb check, remembered: what it said is said again at once while no file has changed.

__main__ gives the remembered answer before anything is imported. What is remembered is the whole
output and the exit status, with the stamps of all that was read: kmods and their directories, the
kernel, settings, profiles, and the tool itself. Removing the directory is always safe.
"""

import argparse
import contextlib
import io
import os
import sys
from pathlib import Path

from buildsys import snapshot
from buildsys.base.errors import BuildsysError, ExitStatus
from buildsys.base.files import make_directory, remove_file, write_whole
from buildsys.base.reads import ReadRecorder
from buildsys.base.shipped import shipped_path
from buildsys.cli import Context
from buildsys.snapshotfile import render_snapshot
from buildsys.verbs import check as judging
from buildsys.verbs.settings import read_config

_PACKAGE = Path(__file__).resolve().parent.parent
_MAXIMUM_ANSWERS = 64
# With any other option a file may decide that is only asked for, not read: no answer is kept then.
_KNOWN_OPTIONS = frozenset(
    {"-m", "--machine", "-a", "--machine-arch", "--kernel", "--release", "--config", "--strict",
     "--explain", "--json"}
)  # fmt: skip


def check(arguments: argparse.Namespace, context: Context) -> ExitStatus:
    """Judge kmods; keep what was said for the next time that the same is asked."""
    directory = snapshot.answers_directory(context.environment)
    if not directory or not _has_known_options(context):
        return judging.check(arguments, context)
    recorder = ReadRecorder()
    config = read_config(arguments, context)
    if config.src is not None:
        return judging.check(arguments, context)
    for path in (config.file, *arguments.files):  # some of these are only asked for
        recorder.note(os.path.join(context.directory, path))
    output = io.TextIOWrapper(io.BytesIO(), "utf-8", "surrogateescape", newline="")
    recorder.begin()
    try:
        with contextlib.redirect_stdout(output):
            status = judging.check(arguments, context)
    finally:
        recorder.end()
        output.flush()
        text = output.buffer.getvalue().decode("utf-8", "surrogateescape")
        sys.stdout.write(text)
    for path in (*_PACKAGE.rglob("*.py"), *shipped_path("toolchain").rglob("*")):
        recorder.note(str(path))
    if recorder.is_settled and status is not ExitStatus.FAILED:
        _keep(directory, context, f"{int(status)}{text}", recorder)
    return status


def _has_known_options(context: Context) -> bool:
    """Tell whether all that decides the answer is what the process reads."""
    options = {word.partition("=")[0] for word in context.words if word.startswith("-")}
    return options <= _KNOWN_OPTIONS


def _keep(directory: str, context: Context, answer: str, recorder: ReadRecorder) -> None:
    """Write an answer; that it cannot be written only means that there is none."""
    key = snapshot.request_key(context.words, context.environment, str(context.directory))
    stamps = [
        (path, None if stamp is None else stamp.numbers)
        for path, stamp in sorted(recorder.stamps.items())
    ]
    with contextlib.suppress(BuildsysError, OSError):
        make_directory(Path(directory), 0o700)
        if snapshot.is_trusted(directory):
            _make_room(Path(directory))
            path = Path(snapshot.answer_path(directory, key))
            write_whole(path, render_snapshot(key, answer, stamps))


def _make_room(directory: Path) -> None:
    """Remove the oldest answers where there are many."""
    entries = sorted(os.scandir(directory), key=lambda entry: entry.stat().st_mtime_ns)
    for entry in entries[: -_MAXIMUM_ANSWERS + 1]:
        remove_file(Path(entry.path))
