"""What a person reads while steps run, and how a run's end becomes an exit status."""

import io
from pathlib import Path

import pytest

from buildsys.base.errors import BuildsysError, ExitStatus
from buildsys.base.wording import count, show_path
from buildsys.pipeline.outcome import FailureKind, RunResult, StepDone, StepFailed
from buildsys.pipeline.progress import LineProgress, describe_failure, describe_step
from buildsys.pipeline.step import Command, Generate, Step

COMMAND = Command("compile", ("cc", "-DA=b c"), Path("/o"), (), None, ())
COMPILE = Step("compile:hello/hello.o", "hello", COMMAND, (), ())
GENERATE = Step("generate:hello", "hello", Generate((), (), ()), (), ())


def failed(kind: FailureKind, argv: tuple[str, ...] = (), output: str = "") -> StepFailed:
    return StepFailed(COMPILE, kind, "exit status 1", argv, output)


def test_steps_have_lines_as_netbsd_s_builds_have() -> None:
    assert describe_step(COMPILE) == "#   compile  hello/hello.o"
    assert describe_step(GENERATE) == "#  generate  hello"


def test_a_failure_tells_step_command_and_output() -> None:
    text = describe_failure(failed(FailureKind.COMMAND, ("cc", "a b"), "one\ntwo\n"))
    assert text.split("\n") == [
        "modbuild: compile:hello/hello.o: exit status 1",
        "    cc 'a b'",
        "    one",
        "    two",
    ]
    assert describe_failure(failed(FailureKind.COMMAND)).count("\n") == 0


def test_lines_are_short_whole_or_none(capsys: pytest.CaptureFixture[str]) -> None:
    shown = []
    for is_verbose, is_quiet in ((False, False), (True, False), (False, True)):
        stream = io.StringIO()
        progress = LineProgress(is_verbose, is_quiet, stream)
        progress.begin(2)
        progress.start(GENERATE)
        progress.start(COMPILE)
        progress.skip(COMPILE)
        progress.finish(StepDone(COMPILE, 0.1, "asked"))
        progress.end()
        shown.append(stream.getvalue())
    lines = "#  generate  hello\n#   compile  hello/hello.o\n"
    assert shown == [lines, lines + "cc '-DA=b c'\n", ""]
    assert capsys.readouterr().err == ""


def test_only_other_words_hide_a_failure() -> None:
    progress = LineProgress(False, False, io.StringIO())
    progress.start(COMPILE)
    for _ in range(2):
        progress.fail(failed(FailureKind.COMMAND))
    assert not progress.has_moved_on
    progress.start(GENERATE)
    assert progress.has_moved_on
    progress.fail(failed(FailureKind.COMMAND))
    assert progress.has_moved_on


def test_failures_and_warnings_are_errors_even_when_quiet(
    capsys: pytest.CaptureFixture[str],
) -> None:
    progress = LineProgress(False, True, io.StringIO())
    progress.finish(StepDone(COMPILE, 0.1, "asked", (), "x.c:1: warning\n"))
    progress.fail(failed(FailureKind.COMMAND))
    assert capsys.readouterr().err.splitlines() == [
        "modbuild: compile:hello/hello.o:",
        "x.c:1: warning",
        "modbuild: compile:hello/hello.o: exit status 1",
    ]


def test_an_output_that_is_full_is_one_error() -> None:
    full = open("/dev/full", "w")  # noqa: SIM115 (closing it fails as writing does)
    with pytest.raises(BuildsysError, match=r"^standard output: No space left on device$"):
        LineProgress(False, False, full).start(COMPILE)
    with pytest.raises(OSError, match="No space left"):
        full.close()


@pytest.mark.parametrize(
    ("kinds", "has_left_out", "is_interrupted", "status"),
    [
        ((), False, False, ExitStatus.DONE),
        ((FailureKind.COMMAND,), True, False, ExitStatus.FAILED),
        ((FailureKind.FINDINGS,), True, False, ExitStatus.FINDINGS),
        ((FailureKind.FINDINGS, FailureKind.COMMAND), True, False, ExitStatus.FAILED),
        ((FailureKind.COMMAND,), True, True, ExitStatus.FAILED),
        ((), True, False, ExitStatus.FAILED),
        ((FailureKind.FINDINGS,), True, True, ExitStatus.FAILED),
    ],
)
def test_a_failure_of_the_tool_weighs_more_than_a_finding(
    kinds: tuple[FailureKind, ...], has_left_out: bool, is_interrupted: bool, status: ExitStatus
) -> None:
    left_out = (COMPILE,) if has_left_out else ()
    ends = tuple(failed(kind) for kind in kinds)
    assert RunResult((), ends, left_out, 1, is_interrupted, (), 0.0).exit_status is status


def test_paths_and_numbers_are_spelled_for_people() -> None:
    assert show_path(Path("/a/b/c"), Path("/a/b")) == "c"
    assert show_path(Path("/a/x"), Path("/a/b")) == "/a/x"
    assert (count(1, "module"), count(0, "module")) == ("1 module", "0 modules")
