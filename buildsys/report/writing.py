"""The option --report: which form goes into which file. A form is imported when it is asked for."""

import importlib
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from buildsys.base.errors import UsageError
from buildsys.base.files import make_directory, refuse_special, write_whole
from buildsys.base.value import frozen
from buildsys.report.model import Report

# Each form, and the function that gives its bytes.
FORMS = {
    "html": "page:render_page",
    "json": "document:render_json",
    "junit": "junit:render_junit",
    "sarif": "sarif:render_sarif",
    "text": "text:render_text",
}
_NEXT = re.compile(rf",(?=(?:{'|'.join(FORMS)})=)")  # a comma may be part of a file's name
STANDARD_OUTPUT = Path("-")


@frozen
class Wanted:
    """One report that is to be written; path '-' is standard output."""

    form: str
    path: Path


def parse_wanted(words: Sequence[str], directory: Path) -> tuple[Wanted, ...]:
    """Take the words of --report apart: FORM=FILE, or several with commas between them."""
    wanted = []
    for word in words:
        for part in _NEXT.split(word):
            form, _, name = part.partition("=")
            if form not in FORMS or not name:
                raise UsageError(
                    f"--report {part}: expected FORM=FILE, where FORM is {', '.join(FORMS)}"
                )
            wanted.append(Wanted(form, STANDARD_OUTPUT if name == "-" else directory / name))
    paths = [one.path for one in wanted]
    for path in paths:
        if path != STANDARD_OUTPUT:
            refuse_special(path)
    twice = next((path for path in paths if paths.count(path) > 1), None)
    if twice is not None:
        raise UsageError(f"--report: two reports cannot both go to {twice}")
    return tuple(wanted)


def has_details(wanted: Sequence[Wanted]) -> bool:
    """Tell whether a form shows ModuleDetail, which costs another look at each file."""
    return any(one.form in ("html", "json") for one in wanted)


def write_reports(report: Report, wanted: Sequence[Wanted]) -> None:
    """Write each report whole, making its directory."""
    for one in wanted:
        content = render_report(report, one.form)
        if one.path == STANDARD_OUTPUT:
            sys.stdout.flush()
            sys.stdout.buffer.write(content)
        else:
            make_directory(one.path.parent)
            write_whole(one.path, content)


def render_report(report: Report, form: str) -> bytes:
    """Give the bytes of a report in one of FORMS."""
    module, _, function = FORMS[form].partition(":")
    content: bytes = getattr(importlib.import_module(f"buildsys.report.{module}"), function)(report)
    return content
