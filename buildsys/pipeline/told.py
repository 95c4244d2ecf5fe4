"""What a run that did all said, for one that finds little changed to say again."""

import marshal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from buildsys.base.value import field_names, frozen
from buildsys.check.verdict import Finding, Severity
from buildsys.pipeline.frame import Frame
from buildsys.pipeline.notes import Notes


@frozen
class Told:
    """through says how far the modules came, up_to_date that nothing was to do.

    refusals is what is said of kmods that are not fit, end how many these are; '' for none. fixed
    is what is said each time; findings are those of verdicts, by module.
    """

    through: str
    up_to_date: str
    refusals: str
    end: str
    fixed: Notes
    findings: Mapping[str, tuple[Finding, ...]]


def render_told(told: Told) -> bytes:
    """Spell it."""
    findings = {
        name: [(one.rule, one.severity.value, str(one.path), *_rest(one)) for one in some]
        for name, some in told.findings.items()
    }
    fixed = (told.fixed.lines, told.fixed.doubts)
    texts = (told.through, told.up_to_date, told.refusals, told.end)
    return marshal.dumps((texts, fixed, findings))


def parse_told(content: bytes) -> Told:
    """Read what render_told wrote."""
    found: Any = marshal.loads(content)  # noqa: S302  # the snapshot has a digest over it
    (through, up_to_date, refusals, end), fixed, findings = found
    made = {
        name: tuple(
            Finding(rule, Severity(weight), Path(path), *rest) for rule, weight, path, *rest in some
        )
        for name, some in findings.items()
    }
    return Told(through, up_to_date, refusals, end, Notes(*fixed), made)


def _rest(one: Finding) -> tuple[Any, ...]:
    return tuple(getattr(one, name) for name in field_names(one)[3:])


def find_answer(frame: Frame, told: Told, notes: Notes) -> str:
    """Give what the snapshot says when nothing changed: the status, and what is told."""
    is_short = frame.looks.is_quiet and frame.is_done
    said = (*notes.lines, *notes.doubts, told.up_to_date)
    lines = notes.doubts if is_short else tuple(filter(None, (told.refusals, *said)))
    return f"{frame.status}" + "".join(f"{line}\n" for line in lines)
