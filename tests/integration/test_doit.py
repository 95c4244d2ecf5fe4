"""doit's own command line in a clone: the same steps, the same record as modbuild's."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from workspace import CLONE, STAND, Ran, Workspace, make_workspace


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Give a clone with the small tree for its modules."""
    directory = tmp_path_factory.mktemp("clone")
    for name in ("buildsys", "toolchain"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(CLONE / name, directory / name, ignore=ignored)
    for name in ("dodo.py", "pyproject.toml"):
        shutil.copy(CLONE / name, directory / name)
    made = make_workspace(directory)
    return Workspace(made.directory, made.environment, directory)


def run_doit(clone: Workspace, *words: str) -> Ran:
    ran = subprocess.run(
        (sys.executable, "-m", "doit", *words), cwd=clone.directory, timeout=120,
        env=clone.full_environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert "Traceback" not in ran.stdout + ran.stderr, ran.stdout + ran.stderr
    return Ran(ran.returncode, ran.stdout, ran.stderr)


def made(ran: Ran) -> set[str]:
    """Name the tasks that ran."""
    assert ran.status == 0, ran.out + ran.err
    lines = ran.out.splitlines()
    return {line.removeprefix(".  ") for line in lines if line.startswith(".  ")}


def test_steps_are_tasks_that_are_built_kept_forgotten_and_cleaned(clone: Workspace) -> None:
    groups = {line.split()[0] for line in run_doit(clone, "list").out.splitlines()}
    assert {"build", "check", "compile", "generate", "install", "link"} == groups
    names = {line.split()[0] for line in run_doit(clone, "list", "--all").out.splitlines()}
    assert {"build:alpha", "compile:gamma/tables.o", "install:beta", "link:alpha"} <= names

    built = made(run_doit(clone, "build:beta"))
    assert {"compile:alpha/alpha.o", "link:beta", "check:beta"} <= built
    assert not any("gamma" in name or "install" in name for name in built)
    assert made(run_doit(clone, "build:beta")) == set()

    assert {"install:alpha", "install:beta", "install:gamma"} <= made(run_doit(clone, "install"))
    assert sorted(path.name for path in clone.path(STAND).iterdir()) == ["alpha", "beta", "gamma"]
    assert made(run_doit(clone, "install")) == set()
    assert clone.install().is_nothing_to_do  # modbuild has the same record
    assert clone.digests() == clone.build_anew()

    clone.edit("modules/alpha/alpha.h", "STEP 1", "STEP 2")
    info = run_doit(clone, "info", "compile:beta/beta.o")
    assert "run" in info.out
    assert "alpha.h changed" in info.out
    assert {"compile:beta/beta.o", "link:alpha"} <= made(run_doit(clone, "install"))

    run_doit(clone, "forget", "compile:alpha/alpha.o")
    assert made(run_doit(clone, "install")) == {"compile:alpha/alpha.o"}

    assert run_doit(clone, "clean", "link:gamma").status == 0
    assert not clone.path("obj/amd64-x86_64/gamma/gamma.kmod").exists()
    assert made(run_doit(clone, "install")) == {"link:gamma"}
    assert run_doit(clone, "clean").status == 0
    assert not list(clone.path("obj").rglob("*.o"))
    assert clone.path(f"{STAND}/gamma/gamma.kmod").exists()
    assert "compile:gamma/gamma.o" in made(run_doit(clone, "install"))
    assert clone.install().is_nothing_to_do


def test_what_goes_wrong_is_told_in_one_message(clone: Workspace) -> None:
    clone.edit("modules/gamma/tables.c", "return", "retrun")
    ran = run_doit(clone, "build:gamma")
    assert ran.status in (1, 2)
    assert "call to undeclared function 'retrun'" in ran.out + ran.err
    clone.edit("modules/gamma/tables.c", "retrun", "return")
    assert run_doit(clone, "build:gamma").status == 0

    clone.edit("modules/gamma/gamma.yaml", "class", "klass: x\nclass")
    ran = run_doit(clone, "list")
    assert ran.status == 3
    assert "gamma.yaml:1: klass: unknown key" in ran.err
    clone.edit("modules/gamma/gamma.yaml", "klass: x\n", "")
    ran = run_doit(clone, "build:nothing")
    assert (ran.status, 'Invalid parameter: "build:nothing"' in ran.err) == (3, True)


def test_doit_elsewhere_than_in_the_clone_says_so(clone: Workspace, tmp_path: Path) -> None:
    shutil.copy(CLONE / "dodo.py", tmp_path / "dodo.py")
    elsewhere = Workspace(tmp_path, {}, clone.package)
    ran = run_doit(elsewhere, "list")
    assert ran.status == 3
    assert "run doit in the clone, where pyproject.toml names the backend modbuild" in ran.err
