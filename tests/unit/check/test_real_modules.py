"""The verdict on the modules of a real tree against those of a real GENERIC kernel.

The modules are made again from their facts: modinfo, globals and undefined symbols.
"""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import ziglang

from buildsys.base.command import run_command
from buildsys.base.shipped import shipped_path
from buildsys.check.check import check_set
from buildsys.check.loader import LoaderState
from buildsys.check.verdict import Outcome, Verdict
from buildsys.kernel.load import load_kernel
from buildsys.kernel.model import Kernel

DATA = Path(__file__).resolve().parents[2] / "data"
REAL = json.loads(gzip.decompress((DATA / "real-modules-amd64.json.gz").read_bytes()))
# Loads, and then its own INIT says no: 2 (miniroot), 86 (nvmm), 6 (ping_block).
REFUSED_BY_ITSELF = {"miniroot", "nvmm", "ping_block"}
# Was loaded after bpf and bpf_filter, which offer what it needs but does not require.
LOADS_AFTER_OTHERS = {"bpfjit"}


def spell(module: dict[str, Any]) -> str:
    lines = [".text", "cmd: ret"]
    for number, modinfo in enumerate(module["modinfo"]):
        required = modinfo["required"]
        lines += [
            '.section link_set_modules,"a"', f".quad mi{number}", '.section .rodata,"a"',
            ".p2align 3", f"mi{number}: .long {modinfo['version']}, {modinfo['class']}",
            f".quad cmd, nm{number}, " + ("0" if required is None else f"rq{number}"),
            f'nm{number}: .asciz "{modinfo["name"]}"', f'rq{number}: .asciz "{required or ""}"',
        ]  # fmt: skip
    lines.append(".data")
    lines += [f'.globl "{name}"\n"{name}": .byte 0' for name in module["globals"]]
    lines += [f'.quad "{name}"' for name in module["undefined"]]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def generic() -> Kernel:
    return load_kernel(shipped_path("toolchain") / "kernel" / "amd64-10.99.12-GENERIC.kmap.gz")


@pytest.fixture(scope="module")
def kmods(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    directory = tmp_path_factory.mktemp("real")
    names = []
    for module in REAL["modules"]:
        (directory / f"{module['name']}.s").write_text(spell(module))
        names.append(module["name"])
    argv = (str(Path(ziglang.__file__).parent / "zig"), "clang", "-target", "x86_64--netbsd", "-c",
            *(f"{name}.s" for name in names))  # fmt: skip
    result = run_command(argv, directory, timeout_seconds=120)
    assert result.is_success, result.output.decode()
    return {name: (directory / f"{name}.o").rename(directory / f"{name}.kmod") for name in names}


@pytest.fixture(scope="module")
def verdicts(kmods: dict[str, Path], generic: Kernel) -> dict[str, Verdict]:
    return {verdict.name: verdict for verdict in check_set(list(kmods.values()), generic)}


def test_the_verdicts_are_those_of_the_kernel(verdicts: dict[str, Verdict]) -> None:
    agreed = 0
    for name, measured in REAL["verdicts"].items():
        verdict = verdicts[name]
        said = "ok" if verdict.outcome is Outcome.LOADS else f"errno {verdict.errno}"
        if name in REFUSED_BY_ITSELF:
            assert said == "ok"
            assert (
                any("modcmd(CMD_INIT) failed" in m for m in measured["messages"]) or name == "nvmm"
            )
        elif name in LOADS_AFTER_OTHERS:
            assert (said, measured["verdict"]) == ("errno 8", "ok")
        else:
            assert said == measured["verdict"], (name, verdict.findings)
            agreed += 1
    assert agreed == 206
    assert len(REAL["verdicts"]) == 210


def test_a_module_that_needs_others_loads_after_them(
    kmods: dict[str, Path], generic: Kernel
) -> None:
    directory = generic.modules_directory
    files = {f"{directory}/{name}/{name}.kmod": path for name, path in kmods.items()}
    state = LoaderState(generic, files.get)
    assert state.load("bpfjit").errno == 8
    assert state.load("bpf").outcome is Outcome.LOADS
    assert state.load("bpfjit").outcome is Outcome.LOADS
    assert {"sljit", "bpf_filter", "bpf", "bpfjit"} <= set(state.loaded_names())
