"""What a step does to files when it runs, fails, or finds that something is missing."""

import os
import pickle
from pathlib import Path

import pytest

from buildsys.base.value import replace
from buildsys.pipeline.depfile import SourceNotes
from buildsys.pipeline.executor import do_work
from buildsys.pipeline.outcome import FailureKind, StepError
from buildsys.pipeline.step import Command, Generate, Step, find_recipe
from buildsys.pipeline.steps import StepExecutor


def executor(timeout_seconds: float | None = None) -> StepExecutor:
    return StepExecutor(
        dict(os.environ), timeout_seconds, {"m": "modules/m/m.yaml"}.get, SourceNotes()
    )


def command_step(directory: Path, script: str, depfile: bool = False) -> Step:
    """Make a step that runs a script with the output as $1 and the depfile as --deps=FILE, $2."""
    output = directory / "obj=1/out.o"
    deps = directory / "obj=1/out.d" if depfile else None
    argv = ("/bin/sh", "-c", script, "sh", str(output), f"--deps={deps}")
    command = Command("compile", argv, directory / "obj=1", (output,), deps, ())
    return Step("compile:m/out.o", "m", command, (), (output,))


def run(step: Step) -> tuple[tuple[str, ...], str]:
    return do_work(executor().begin(step))


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in (directory / "obj=1").iterdir())


def test_an_output_gets_its_name_only_when_the_program_succeeded(tmp_path: Path) -> None:
    output = tmp_path / "obj=1/out.o"
    script = f'test ! -e "{output}"; echo made > "$1"; ls -A; echo said >&2'
    seen, text = run(command_step(tmp_path, script))
    assert seen == ()
    assert ".modbuild.out.o." in text
    assert text.endswith("said\n")
    assert output.read_text() == "made\n"
    assert names(tmp_path) == ["out.o"]


def test_a_failed_program_leaves_the_former_output_and_nothing_else(tmp_path: Path) -> None:
    run(command_step(tmp_path, 'echo former > "$1"'))
    with pytest.raises(StepError, match=r"^exit status 4$") as caught:
        run(command_step(tmp_path, 'echo new > "$1"; echo why; exit 4'))
    assert (tmp_path / "obj=1/out.o").read_text() == "former\n"
    assert names(tmp_path) == ["out.o"]
    assert caught.value.kind is FailureKind.COMMAND
    assert caught.value.output == "why\n"
    assert str(tmp_path / "obj=1/out.o") in caught.value.argv  # shown under its own name


def test_a_program_that_makes_nothing_has_failed(tmp_path: Path) -> None:
    with pytest.raises(StepError, match=r"out\.o: the command ended well and did not make it"):
        run(command_step(tmp_path, "true"))
    assert names(tmp_path) == []


def test_a_depfile_tells_what_was_read_and_goes_away(tmp_path: Path) -> None:
    script = 'echo x > "$1"; echo "out: a.c ./b.h /abs/c.h" > "${2#--deps=}"'
    seen, _ = run(command_step(tmp_path, script, depfile=True))
    here = tmp_path / "obj=1"
    assert seen == (f"{here}/a.c", f"{here}/b.h", "/abs/c.h")
    assert names(tmp_path) == ["out.o"]
    with pytest.raises(StepError, match=r"out\.d: the compiler did not write it"):
        run(command_step(tmp_path, 'echo x > "$1"', depfile=True))


def test_missing_inputs_are_named_with_the_module_s_place(tmp_path: Path) -> None:
    step = command_step(tmp_path, "true")
    one = Step(step.name, "m", step.action, (tmp_path / "x.c",), step.outputs)
    with pytest.raises(StepError, match=rf"^modules/m/m\.yaml: {tmp_path}/x\.c does not exist$"):
        run(one)
    two = Step(step.name, "", step.action, (tmp_path / "x.c", tmp_path / "y.c"), step.outputs)
    with pytest.raises(StepError, match=r"^\S*x\.c, \S*y\.c do not exist$"):
        run(two)


def test_work_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    work = executor().begin(command_step(tmp_path, 'echo x > "$1"'))
    call = next(work)
    (tmp_path / "obj=1" / call.argv[4]).write_text("half")
    work.close()
    assert names(tmp_path) == []


def test_generating_writes_links_and_removes(tmp_path: Path) -> None:
    (tmp_path / "old.plist").write_text("")
    (tmp_path / "d").mkdir()
    (tmp_path / "d/link").symlink_to("elsewhere")
    generate = Generate(
        ((tmp_path / "new/file.S", b"text"),),
        ((tmp_path / "d/link", tmp_path),),
        (tmp_path / "old.plist", tmp_path / "never.plist"),
    )
    assert do_work(executor().begin(Step("generate:m", "m", generate, (), ()))) == ((), "")
    assert (tmp_path / "new/file.S").read_bytes() == b"text"
    assert os.readlink(tmp_path / "d/link") == str(tmp_path)
    assert not (tmp_path / "old.plist").exists()


def test_recipes_differ_with_whatever_decides_the_result(tmp_path: Path) -> None:
    step = command_step(tmp_path, "true")
    same = command_step(tmp_path, "true")
    other = command_step(tmp_path, "false")
    read = Step(step.name, "m", step.action, (tmp_path / "x",), step.outputs)
    assert step.recipe == same.recipe
    assert len({step.recipe, other.recipe, read.recipe}) == 3
    assert step.kind == "compile"


def test_recipes_differ_with_every_field_of_an_action(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    command = Command("compile", ("cc", "a"), tmp_path, (first,), None, ())
    generate = Generate(((first, b"text"),), ((first, second),), (first,))
    actions = [
        command,
        replace(command, verb="link"),
        replace(command, argv=("cc a",)),
        replace(command, directory=first),
        replace(command, outputs=(first, second)),
        replace(command, depfile=second),
        replace(command, search_path=(second,)),
        replace(command, search_path=(first, second)),
        replace(command, standard_output=first),
        replace(command, environment=(("A", "b"),)),
        replace(command, further=(("cc", "a"),)),
        replace(command, further=(("cc",), ("a",))),
        generate,
        replace(generate, files=((first, b"other"),)),
        replace(generate, files=((second, b"text"),)),
        replace(generate, links=((second, first),)),
        replace(generate, removed=()),
    ]
    files = ((), (first,)), ((first,), ()), ((second,), (first,)), ((first, second), ())
    recipes = [find_recipe(action, *held) for action in actions for held in files]
    assert len(set(recipes)) == len(recipes)
    copied = pickle.loads(pickle.dumps(actions))  # noqa: S301
    assert [find_recipe(action, *held) for action in copied for held in files] == recipes
