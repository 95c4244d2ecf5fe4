"""Why says in what a command changed."""

from pathlib import Path

import pytest
from workspace import Workspace

from buildsys.base.value import replace
from buildsys.pipeline.explaining import describe_change
from buildsys.pipeline.step import AssymSource, Command, Generate, Step

X = Path("/x.o")
COMMAND = Command("compile", ("cc", "-DA=1", "-c", "x.c"), Path("/"), (X,), None, ())
STEP = Step("compile:m/x.o", "m", COMMAND, (Path("/x.c"),), (X,))
FILES = Generate(((X, b"one"),), (), ())


def with_command(**changes: object) -> Step:
    return replace(STEP, action=replace(COMMAND, **changes))


@pytest.mark.parametrize(
    ("present", "text"),
    [
        (
            with_command(argv=("cc", "-DA=2", "-DB=a b", "-c", "x.c")),
            "with -DA=2, '-DB=a b', without -DA=1",
        ),
        (with_command(argv=("cc", "-c", "-DA=1", "x.c")), "its words stand in another order"),
        (with_command(environment=(("TMP", "/y"),)), "environment"),
        (replace(STEP, inputs=(Path("/x.c"), Path("/cc"))), "with /cc"),
        (replace(STEP, action=FILES), ""),
        (STEP, ""),
    ],
)
def test_what_changed_is_named(present: Step, text: str) -> None:
    assert describe_change(STEP, present) == text


def test_what_is_written_is_named_by_its_file() -> None:
    former = replace(STEP, action=FILES)
    assert describe_change(former, replace(STEP, action=AssymSource(X, X))) == ""
    present = replace(STEP, action=Generate(((X, b"two"),), (), ()))
    assert describe_change(former, present) == "what it writes into x.o"


def test_why_names_a_flag_that_came_and_one_that_went(workspace: Workspace) -> None:
    workspace.install()
    workspace.edit("modules/gamma/gamma.yaml", "SHIFT=1", "SHIFT=2")
    said = workspace.run("why", "gamma").out
    assert "its command or settings changed: with -DSHIFT=2, without -DSHIFT=1\n" in said
    (workspace.path("obj/.snapshots") / "plan-0.pickle").write_bytes(b"no plan")
    assert workspace.run("why", "gamma").out == said
    for path in workspace.path("obj/.snapshots").iterdir():
        path.unlink()
    assert "its command or settings changed\n" in workspace.run("why", "gamma").out
