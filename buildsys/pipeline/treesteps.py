"""What the steps do that only source trees ask for: config(1), genassym, programs that make files.

Imported when the first of them runs.
"""

import tempfile
from collections.abc import Callable, Generator
from pathlib import Path

from buildsys.base.files import make_directory, move_into_place, read_whole, write_whole
from buildsys.base.programs import Call, CommandResult
from buildsys.pipeline.assym import render_assym_header, render_assym_source
from buildsys.pipeline.executor import Seen, Work
from buildsys.pipeline.ioconf import Directives, find_config_inputs
from buildsys.pipeline.outcome import StepError
from buildsys.pipeline.step import AssymHeader, AssymSource, Configure, Gather
from buildsys.pipeline.steps import describe_output

# Runs a program in a directory; that it failed is a StepError.
Runs = Callable[[tuple[str, ...], Path], Generator[Call, CommandResult, CommandResult]]


def configure(action: Configure, run: Runs, known: dict[str, Directives]) -> Work:
    """Run config(1) in a directory of its own, and take the files that it made.

    known is what was read of its inputs in this run, by path.
    """
    make_directory(action.directory)
    prefix = ".modbuild.config."
    with tempfile.TemporaryDirectory(prefix=prefix, dir=action.directory) as name:
        place = Path(name)
        argv = (*action.config, "-b", name, "-s", str(action.system), str(action.ioconf))
        result = yield from run(argv, action.directory)
        for file in action.names:
            if not (place / file).exists():
                raise StepError(f"{file}: config(1) did not make it", argv=argv)
            write_whole(action.directory / file, read_whole(place / file))
    return find_config_inputs(action.ioconf, action.system, known), describe_output(result)


def gather(action: Gather, run: Runs) -> Work:
    """Run programs in an empty directory, and take the named files that they made."""
    make_directory(action.directory)
    texts = []
    prefix = f".modbuild.{action.verb}."
    with tempfile.TemporaryDirectory(prefix=prefix, dir=action.directory) as name:
        place = Path(name)
        for argv in action.commands:
            texts.append(describe_output((yield from run(argv, place))))
        for file in action.names:
            if not (place / file).exists():
                raise StepError(f"{file}: the command did not make it", argv=argv)
        for file in action.names:
            move_into_place(place / file, action.directory / file)
    return (), "".join(texts)


def write_source(action: AssymSource) -> Seen:
    """Write the C of a genassym.cf."""
    make_directory(action.output.parent)
    text = read_whole(action.config).decode("utf-8", errors="replace")
    write_whole(action.output, render_assym_source(text, action.config).encode())
    return (), ""


def write_header(action: AssymHeader) -> Seen:
    """Write assym.h from the numbers of a compiled source."""
    write_whole(action.output, render_assym_header(action.object).encode())
    return (), ""
