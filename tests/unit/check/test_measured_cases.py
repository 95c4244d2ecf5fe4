"""The loader model against what a real 10.99.12 amd64 kernel said of small odd modules.

Every case is replayed as its script says: what was loaded before matters.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from buildsys.check.loaded import LoadResult
from buildsys.check.loader import LoaderState
from buildsys.check.verdict import Outcome
from buildsys.kernel.load import load_kernel
from buildsys.kernel.model import Kernel

DATA = Path(__file__).resolve().parents[2] / "data"
CASES_DIRECTORY = DATA / "loader-cases"
ALL = json.loads((CASES_DIRECTORY / "cases.json").read_bytes())["cases"]
RELIABLE = [case for case in ALL if "unreliable" not in case]
# What only the code of a built-in module decides: ffs is in use as the root file system.
AT_RUN_TIME = {("load_builtin", "unload ffs")}


@dataclass(frozen=True, slots=True)
class Replayed:
    command: str
    result: LoadResult
    measured: dict[str, Any]
    is_open: bool  # the module's own code decides


@pytest.fixture(scope="module")
def small_kernel() -> Kernel:
    return load_kernel(DATA / "amd64-10.99.12-small-kernel.kmap.gz")


def replay(case: dict[str, Any], kernel: Kernel, directory: Path) -> list[Replayed]:
    files = {target: CASES_DIRECTORY / path for target, path in case["files"].items()}
    state = LoaderState(kernel, {**files, "/dev": directory}.get)
    measured = iter(case["results"])
    replayed = []
    for command in case["script"]:
        if command == "stat":
            if "loaded_at_stat" in case:
                assert sorted(state.loaded_names()) == sorted(case["loaded_at_stat"])
            continue
        verb, name = command.split(" ", 1)
        if verb == "unload":
            result = state.unload(name)
        else:
            forced, plain = verb == "fload", verb == "nload"
            result = state.load(name, is_forced=forced, has_properties=not plain)
        step = next(measured)
        is_open = bool(case.get("decided_at_run_time")) or (case["name"], command) in AT_RUN_TIME
        replayed.append(Replayed(command, result, step, is_open))
        if step["verdict"] == "panic":
            break
    return replayed


def said(result: LoadResult) -> str:
    match result.outcome:
        case Outcome.LOADS:
            return "ok"
        case Outcome.PANICS:
            return "panic"
        case Outcome.UNKNOWN:
            return "unknown"
    return f"errno {result.errno}"


@pytest.mark.parametrize("case", RELIABLE, ids=lambda case: str(case["name"]))
def test_the_model_says_what_the_kernel_said(
    case: dict[str, Any], small_kernel: Kernel, tmp_path: Path
) -> None:
    steps = replay(case, small_kernel, tmp_path)
    assert steps
    for step in steps:
        if step.is_open and said(step.result) != step.measured["verdict"]:
            assert said(step.result) in ("ok", "unknown"), step
        else:
            assert said(step.result) == step.measured["verdict"], step


@pytest.mark.parametrize("case", RELIABLE, ids=lambda case: str(case["name"]))
def test_the_model_prints_what_the_kernel_printed(
    case: dict[str, Any], small_kernel: Kernel, tmp_path: Path
) -> None:
    for step in replay(case, small_kernel, tmp_path):
        printed = "\n".join(step.measured["messages"])
        for finding in step.result.findings:
            if step.result.outcome is Outcome.REFUSED and printed:
                assert finding.kernel_message in printed, (step.command, finding)


def test_the_cases_are_all_there_and_nearly_all_are_decided_by_the_file() -> None:
    assert len(ALL) == 124
    assert len(RELIABLE) == 122
    assert sum(bool(case.get("decided_at_run_time")) for case in RELIABLE) == 7
