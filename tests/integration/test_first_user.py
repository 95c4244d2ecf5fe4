"""What a first user meets: the launcher, doit, doubts under --quiet, refusals before any work."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from workspace import CLONE, Workspace

_DOIT = (sys.executable, "-m", "doit")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Make a clone's worth of files: what doit and the launcher need."""
    for name in ("buildsys", "modules", "toolchain"):
        shutil.copytree(CLONE / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dodo.py", "modbuild", "pyproject.toml"):
        shutil.copy2(CLONE / name, tmp_path / name)
    return tmp_path


def run_doit(clone: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("OBJDIR", "DESTDIR", "MACHINE", "TOOLDIR", "NETBSDSRCDIR", "METALOG")
    }
    environment["PYTHONPATH"] = str(clone)
    ran = subprocess.run(
        (*_DOIT, *words), cwd=clone, env=environment, capture_output=True, text=True, timeout=120
    )
    assert "Traceback" not in ran.stderr, ran.stderr
    return ran


def test_doit_knows_every_step_and_shares_the_record(clone: Path) -> None:
    listed = run_doit(clone, "list").stdout
    assert [line.split()[0] for line in listed.splitlines()] == [
        "build", "check", "compile", "generate", "install", "link",
    ]  # fmt: skip
    built = run_doit(clone, "build:hello")
    assert built.returncode == 0
    assert ".  check:hello" in built.stdout
    assert "-- check:hello" in run_doit(clone, "build:hello").stdout

    installed = run_doit(clone, "install")
    assert installed.returncode == 0
    assert ".  install:METALOG" in installed.stdout
    kmods = sorted(path.stem for path in (clone / "destdir").rglob("*.kmod"))
    assert kmods == sorted(path.name for path in (clone / "modules").iterdir() if path.is_dir())
    assert Workspace(clone, package=clone).run("install").is_nothing_to_do

    assert run_doit(clone, "forget", "compile:hello/hello.o").returncode == 0
    again = run_doit(clone, "build:hello").stdout
    assert ".  compile:hello/hello.o" in again
    assert "-- link:hello" in again  # the same bytes came out
    assert "no tasks specified" in run_doit(clone, "forget").stdout

    assert run_doit(clone, "clean").returncode == 0
    assert not list((clone / "obj").rglob("*.o"))
    assert (clone / "destdir/METALOG").exists()


def test_doit_says_what_is_wrong_in_one_message(clone: Path) -> None:
    (clone / "modules/hello/hello.yaml").write_text("class: msic\nsources: [hello.c]\n")
    ran = run_doit(clone, "list")
    assert ran.returncode == 3
    assert "hello.yaml:1: class: expected one of misc" in ran.stderr


def test_the_launcher_works_through_links(tmp_path: Path) -> None:
    """The environment is a stand-in, so that nothing is installed."""
    clone, elsewhere = tmp_path / "clone", tmp_path / "bin"
    (clone / ".venv/bin").mkdir(parents=True)
    elsewhere.mkdir()
    shutil.copy2(CLONE / "modbuild", clone / "modbuild")
    (clone / "pyproject.toml").touch()
    os.utime(clone / "pyproject.toml", (1, 1))
    (clone / ".venv/modbuild-run.stamp").touch()
    python = clone / ".venv/bin/python"
    python.write_text('#!/bin/sh\necho "$@"\n')
    python.chmod(0o755)
    (elsewhere / "direct").symlink_to(clone / "modbuild")
    (elsewhere / "twice").symlink_to("direct")
    for name in ("direct", "twice"):
        ran = subprocess.run(
            (elsewhere / name, "list"), cwd="/", capture_output=True, text=True, timeout=20
        )
        assert (ran.returncode, ran.stdout) == (0, f"-S {clone}/buildsys/launch.py list\n"), (
            ran.stderr
        )


def test_quiet_still_tells_doubts(workspace: Workspace) -> None:
    first = workspace.install("--quiet", "-m", "riscv")
    second = workspace.install("--quiet", "-m", "riscv")
    for ran in (first, second):
        assert ran.out.startswith("not checked: symbols-unknown in 1 module (beta)")
        assert "limits of riscv-riscv64" in ran.out
        assert "installed" not in ran.out
    assert workspace.install("--quiet").out == ""
    assert workspace.install("--quiet").out == ""


def test_what_could_only_fail_is_refused_before_any_work(workspace: Workspace) -> None:
    ran = workspace.run("install", "--release", "10.1")
    assert ran.status == 1
    assert ran.err == (
        "modbuild: the kernel headers that come with modbuild are those of NetBSD 10.99.12;"
        " for 10.1 give its sources with --src or NETBSDSRCDIR\n"
    )
    ran = workspace.run("install", "--destdir", "/")
    assert ran.status == 1
    assert ran.err.count("\n") == 1
    assert "this is / of a running" in ran.err
    assert not list(workspace.directory.rglob("*.o"))


def test_one_failure_is_told_once_and_again_only_after_other_output(workspace: Workspace) -> None:
    workspace.edit("modules/gamma/tables.c", "LIMIT;", "LIMITS;")
    alone = workspace.run("build", "-j1", "gamma")
    assert alone.err.count("tables.c:6") == 1
    workspace.edit("modules/alpha/alpha.c", "return count", "return counts")
    several = workspace.run("build", "-k", "-j1")
    assert several.err.count("modbuild: compile:alpha/alpha.o: exit status 1") == 2
    assert "left out after that: beta" in several.err


def test_modules_of_another_processor_are_replaced_with_a_word(workspace: Workspace) -> None:
    workspace.install("-m", "evbarm-aarch64")
    ran = workspace.install("-m", "evbarm-earmv7hf")
    assert "modules of another processor lay in" in ran.err
    assert "3 replaced ('modbuild rollback' brings them back)" in ran.err
    assert "another processor" not in workspace.install("-m", "evbarm-earmv7hf").err
