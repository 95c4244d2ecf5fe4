"""What tests of several parts share: the small tree of modules."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from workspace import Workspace, make_workspace

from buildsys.base import programs

# Who starts the tests in the background (nohup, a shell's '&') has these ignored, and programs
# inherit that: the runs that tests interrupt would rightly go on.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep remembered checks out of the user's cache."""
    monkeypatch.setenv("MODBUILD_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Give the small tree in a directory of its own, not built yet."""
    return make_workspace(tmp_path)


@pytest.fixture
def fresh(workspace: Workspace) -> Iterator[Workspace]:
    """Give a built tree of this test alone; after it nothing is to do, as after a clean build."""
    workspace.install()
    yield workspace
    assert workspace.install().is_nothing_to_do
    assert workspace.digests() == workspace.build_anew()
    assert workspace.temporaries() == []


@pytest.fixture
def interrupted_starts(monkeypatch: pytest.MonkeyPatch) -> "list[subprocess.Popen[bytes]]":
    """Have Ctrl-C come with the start of each program; gives the programs."""
    started: list[subprocess.Popen[bytes]] = []
    start = programs._start

    def interrupt(call: programs.Call, output: int) -> "subprocess.Popen[bytes]":
        started.append(start(call, output))
        signal.raise_signal(signal.SIGINT)
        return started[-1]

    monkeypatch.setattr(programs, "_start", interrupt)
    return started


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell how many random edits and how many ways to stop were tried, wherever the tests ran."""
    counted: dict[str, int] = {}
    for report in terminalreporter.stats.get("passed", ()):
        for name, value in getattr(report, "user_properties", ()):
            if name in ("model", "both ways"):
                terminalreporter.write_line(f"random edits of a tree, {name}: {value}")
            elif name in ("kills", "errors"):
                counted[name] = counted.get(name, 0) + value
    if counted:
        terminalreporter.write_line(f"runs that were stopped midway: {counted}")
