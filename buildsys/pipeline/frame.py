"""What a run that did all leaves for one that finds little changed: words, and where things are.

It is kept in the snapshot, and spares the next run the configuration, the request and the plan.
"""

import importlib
import marshal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from buildsys.base.errors import ExitStatus
from buildsys.base.value import field_names, frozen, replace
from buildsys.check.verdict import Finding, Severity
from buildsys.pipeline.executor import Progress
from buildsys.pipeline.notes import Notes
from buildsys.pipeline.progress import LineProgress
from buildsys.pipeline.runoptions import RunOptions


@frozen
class Looks:
    """How much a run is to say."""

    is_quiet: bool
    is_verbose: bool


@frozen
class Frame:
    """All that a further run of a request needs beside its steps; directories are of this machine.

    plan is the identity of the kept plan. through says how far the modules came, up_to_date that
    nothing was to do. findings are those of verdicts, by module; others the kmods below installed
    that this request does not install.
    """

    plan: bytes
    status: int
    options: RunOptions
    looks: Looks
    objects: str  # the machine's object directory
    purpose: str  # why it is locked
    installed: str  # the modules directory, '' where nothing is installed
    receipts: str
    through: str
    up_to_date: str
    fixed: Notes
    findings: Mapping[str, tuple[Finding, ...]]
    others: tuple[tuple[str, str], ...]

    @property
    def is_done(self) -> bool:
        """Tell whether all went well; not so where modules of a source tree cannot be built."""
        return self.status == ExitStatus.DONE

    def with_findings(self, findings: Mapping[str, tuple[Finding, ...]]) -> "Frame":
        """Give it with other findings."""
        return replace(self, findings=findings)

    def answer(self, notes: Notes) -> str:
        """Give what the snapshot says when nothing changed: the status, and what is told."""
        is_short = self.looks.is_quiet and self.is_done
        lines = notes.doubts if is_short else (*notes.lines, *notes.doubts, self.up_to_date)
        return f"{self.status}" + "".join(f"{line}\n" for line in lines)

    def render(self) -> bytes:
        """Spell it; nothing where there is no kept plan to go on from."""
        if not self.plan:
            return b""
        return marshal.dumps(_spell(self))


def parse_frame(content: bytes) -> Frame | None:
    """Read what render wrote, whose digest was looked at; None where there is nothing."""
    if not content:
        return None
    words: Any = marshal.loads(content)  # noqa: S302  # the snapshot has a digest over it
    found = dict(zip(field_names(Frame), words, strict=True))
    found["options"] = RunOptions(*found["options"])
    found["looks"] = Looks(*found["looks"])
    found["fixed"] = Notes(*found["fixed"])
    found["findings"] = {
        name: tuple(Finding(one[0], Severity(one[1]), Path(one[2]), *one[3:]) for one in some)
        for name, some in found["findings"].items()
    }
    return Frame(**found)


def make_progress(looks: Looks) -> Progress:
    """Choose how steps are told of: a bar on a terminal, else lines."""
    if sys.stdout.isatty() and sys.stderr.isatty() and not looks.is_quiet:
        bar: Progress = importlib.import_module("buildsys.pipeline.bar").BarProgress(
            looks.is_verbose
        )
        return bar
    return LineProgress(looks.is_verbose, looks.is_quiet)


def _spell(content: Any) -> Any:
    """Turn values into what marshal knows."""
    if isinstance(content, (Frame, RunOptions, Looks, Notes, Finding)):
        return tuple(_spell(getattr(content, name)) for name in field_names(content))
    if isinstance(content, Severity):
        return content.value
    if isinstance(content, Path):
        return str(content)
    if isinstance(content, Mapping):
        return {name: _spell(one) for name, one in content.items()}
    if isinstance(content, Sequence) and not isinstance(content, (str, bytes)):
        return tuple(map(_spell, content))
    return content
