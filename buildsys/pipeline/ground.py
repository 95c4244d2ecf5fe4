"""What a short run stands on: the files of the snapshot that it began with.

A next snapshot takes new stamps of the files that were looked at. Steps that were not looked at
read some of them, too; so each must be as it was, or be what this run made.
"""

import os
from collections.abc import Collection, Iterable

from buildsys.base.digest import Stamp
from buildsys.base.value import replace
from buildsys.pipeline.outcome import RunResult
from buildsys.pipeline.step import Step
from buildsys.pipeline.watch import Watch
from buildsys.snapshot import Snapshot


class Ground:
    """A snapshot, and the names in directories that a run writes to, as they were before."""

    def __init__(self, former: Snapshot) -> None:
        self._former = former
        self._changed = frozenset(former.changed)
        self._names: dict[str, frozenset[str]] = {}

    def is_as_it_was(self, path: str, stamp: Stamp) -> bool:
        """Tell whether a file has the stamp that it had in the snapshot, and has it still."""
        return path not in self._changed and self._former.has(path, stamp.numbers)

    def look_into(self, directories: Iterable[str]) -> None:
        """Take down what is in directories to which the run will write."""
        for directory in directories:
            try:
                self._names[directory] = frozenset(os.listdir(directory))
            except OSError:
                self._names[directory] = frozenset()

    def judge(
        self, watch: Watch, result: RunResult, steps: Collection[Step], installed: str
    ) -> Watch:
        """Give the watch, not settled where a file changed meanwhile that others may read.

        installed is the modules directory, in which others' files were looked for already.
        """
        made = {os.fspath(path) for done in result.done for path in done.step.outputs}
        made.add(installed)
        own = {os.fspath(path) for step in steps for path in step.outputs}
        for path, stamp in watch.stamps:
            numbers = None if stamp is None else stamp.numbers
            former = self._former.find(path)
            if former is None or former == numbers or path in made:
                continue
            if self._holds_no_more(path, own) if path in self._names else path in self._changed:
                continue
            return replace(watch, is_settled=False)
        return watch

    def _holds_no_more(self, directory: str, own: Collection[str]) -> bool:
        """Tell whether nothing came to a directory but outputs of steps."""
        try:
            came = set(os.listdir(directory)) - self._names[directory]
        except OSError:
            return False
        return all(f"{directory}/{name}" in own for name in came)
