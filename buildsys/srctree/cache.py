"""The record of what make said: good as long as every file that it read holds what it held."""

import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from buildsys.base.digest import ABSENT, Stamp, digest_file, stat_stamp
from buildsys.base.files import make_directory, write_whole
from buildsys.srctree.query import Evaluation
from buildsys.srctree.sources import digest_lines

_FORMAT = 7
_YOUNG_NANOSECONDS = 1_000_000_000  # a stamp this young may belong to a later edit, too

Row = list[int | str]


class EvaluationCache:
    """Evaluations by directory in one JSON file; key is all that decides beside the files.

    lines names files of which only the lines with a word matter.
    """

    def __init__(self, path: Path, key: str, lines: Mapping[str, bytes] | None = None) -> None:
        self._lines = lines or {}
        self._path = path
        self._key = key
        self._files: dict[str, Row] = {}  # ctime, mtime, size, inode, digest
        self._seen: dict[str, str] = {}
        self._known: dict[str, tuple[Evaluation, dict[str, str]]] = {}
        self._notes: dict[str, tuple[str, list[str]]] = {}
        self._is_changed = False
        self._load()

    def find(self, directory: str) -> Evaluation | None:
        """Give what make said of a directory, if that must still be true."""
        known = self._known.get(directory)
        if known is None:
            return None
        evaluation, digests = known
        if any(self.digest(path) != digest for path, digest in digests.items()):
            return None
        if any(self._is_there(path) != is_there for path, is_there in evaluation.probes):
            return None
        return evaluation

    def add(self, evaluation: Evaluation, further: Iterable[str]) -> None:
        """Remember what make said; further are files that it read through programs."""
        files = (*evaluation.makefiles, *further)
        digests = {path: self.digest(path) for path in files}
        self._known[evaluation.directory] = (evaluation, digests)
        self._is_changed = True

    def note(self, path: str) -> list[str] | None:
        """Give what was noted of a file, unless it changed since."""
        known = self._notes.get(path)
        if known is None or known[0] != self.digest(path):
            return None
        return known[1]

    def add_note(self, path: str, words: list[str]) -> None:
        """Note something of a file's content."""
        self._notes[path] = (self.digest(path), words)
        self._is_changed = True

    def digest(self, path: str) -> str:
        """Digest a file, in hexadecimal; an unchanged stamp spares the read."""
        seen = self._seen.get(path)
        if seen is None:
            seen = self._seen[path] = self._look_at(path)
        return seen

    def save(self) -> None:
        """Write the record, if anything was learnt."""
        if not self._is_changed:
            return
        document = {
            "format": _FORMAT,
            "key": self._key,
            "files": self._files,
            "notes": self._notes,
            "directories": [
                {
                    "directory": evaluation.directory,
                    "values": evaluation.values,
                    "makefiles": evaluation.makefiles,
                    "probes": evaluation.probes,
                    "digests": digests,
                }
                for evaluation, digests in self._known.values()
            ],
        }
        make_directory(self._path.parent)
        write_whole(self._path, json.dumps(document, separators=(",", ":")).encode())

    def _is_there(self, path: str) -> bool:
        seen = self._seen.get(path)
        return Path(path).exists() if seen is None else seen != ABSENT.hex()

    def _look_at(self, path: str) -> str:
        stamp = stat_stamp(path)
        if stamp is None:
            return ABSENT.hex()
        row = _row(stamp)
        known = self._files.get(path)
        if known is not None and known[:-1] == row:
            return str(known[-1])
        if path in self._lines:
            digest = digest_lines(path, self._lines[path]).hex()
        else:
            digest = b"\1".hex() if Path(path).is_dir() else digest_file(path).hex()
        if time.time_ns() - stamp.ctime_ns > _YOUNG_NANOSECONDS:
            self._files[path] = [*row, digest]
            self._is_changed = True
        return digest

    def _load(self) -> None:
        try:
            document = json.loads(self._path.read_bytes())
            if document["format"] != _FORMAT:
                return
            self._files = document["files"]
            self._notes = {path: (row[0], row[1]) for path, row in document["notes"].items()}
            if document["key"] != self._key:
                return
            for row in document["directories"]:
                probes = tuple((path, is_there) for path, is_there in row["probes"])
                makefiles = tuple(row["makefiles"])
                known = Evaluation(row["directory"], row["values"], makefiles, probes)
                self._known[known.directory] = (known, row["digests"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
            self._files, self._notes, self._known = {}, {}, {}


def _row(stamp: Stamp) -> Row:
    return [stamp.ctime_ns, stamp.mtime_ns, stamp.size, stamp.inode]
