"""What a run that did all leaves for one that finds little changed, so that this can begin.

It is kept in the snapshot, and spares the next run the configuration, the request and the plan.
What it needs only at its end is in told.py.
"""

import importlib
import marshal
import sys
from typing import Any

from buildsys.base.errors import ExitStatus
from buildsys.base.value import field_names, frozen
from buildsys.pipeline.executor import Progress
from buildsys.pipeline.progress import LineProgress
from buildsys.pipeline.runoptions import RunOptions


@frozen
class Looks:
    """How much a run is to say."""

    is_quiet: bool
    is_verbose: bool


@frozen
class Partial:
    """What installs beside kmods that are not fit, in place of the plan's own installation.

    steps are as keptplan.py spells them; unready are the modules that they leave out, receipts the
    files that would tell that one of these is installed (none is), left_out the steps of the plan
    that could not run.
    """

    steps: bytes
    unready: tuple[str, ...]
    receipts: tuple[str, ...]
    left_out: tuple[str, ...]


@frozen
class Frame:
    """What a further run of a request needs beside its steps; directories are of this machine.

    plan is the identity of the kept plan, token what the record of the build was marked with under
    the name of the request; others are the kmods below installed, by name, that this
    request does not install; told is what told.py reads.
    """

    plan: bytes
    token: bytes
    status: int
    options: RunOptions
    looks: Looks
    objects: str  # the machine's object directory
    purpose: str  # why it is locked
    installed: str  # the modules directory below DESTDIR
    receipts: str
    others: tuple[tuple[str, str], ...]
    described: tuple[str, ...]  # all modules, planned or not
    refused: tuple[str, ...]  # modules that are not fit
    partial: Partial | None  # None: the plan's own steps are all there is
    told: bytes

    @property
    def is_done(self) -> bool:
        """Tell whether all went well; not so where modules of a source tree cannot be built."""
        return self.status == ExitStatus.DONE


def render_frame(frame: Frame) -> bytes:
    """Spell it; nothing where there is no kept plan to go on from."""
    return marshal.dumps(spell(frame)) if frame.plan else b""


def parse_frame(content: bytes) -> Frame | None:
    """Read what render_frame wrote, whose digest was looked at; None where there is nothing."""
    if not content:
        return None
    words: Any = marshal.loads(content)  # noqa: S302  # the snapshot has a digest over it
    found = dict(zip(field_names(Frame), words, strict=True))
    found["options"] = RunOptions(*found["options"])
    found["looks"] = Looks(*found["looks"])
    found["partial"] = found["partial"] and Partial(*found["partial"])
    return Frame(**found)


def spell(content: Any) -> Any:
    """Turn values into tuples, which marshal knows."""
    if isinstance(content, tuple):
        return tuple(map(spell, content))
    if isinstance(content, (Frame, RunOptions, Looks, Partial)):
        return tuple(spell(getattr(content, name)) for name in field_names(content))
    return content


def make_progress(looks: Looks) -> Progress:
    """Choose how steps are told of: a bar on a terminal, else lines."""
    if sys.stdout.isatty() and sys.stderr.isatty() and not looks.is_quiet:
        bar: Progress = importlib.import_module("buildsys.pipeline.bar").BarProgress(
            looks.is_verbose
        )
        return bar
    return LineProgress(looks.is_verbose, looks.is_quiet)
