"""Plans of kernel updates: what must be built anew, what vanishes, what uses symbols that go."""

import json
import shutil
from pathlib import Path

import pytest
from workspace import CLONE, Workspace

from buildsys.base.value import replace
from buildsys.kernel.load import load_kernel, save_kernel
from buildsys.kernel.model import BuiltinModule, Kernel
from buildsys.kernel.version import parse_version

SMALL = CLONE / "tests/data/amd64-10.99.12-small-kernel.kmap.gz"


@pytest.fixture
def generic() -> Kernel:
    return load_kernel(next((CLONE / "toolchain/kernel").glob("amd64-10.99.12-*")))


def save(workspace: Workspace, kernel: Kernel, name: str) -> None:
    save_kernel(kernel, workspace.path(name))


def without(kernel: Kernel, *names: str) -> Kernel:
    assert kernel.symbols is not None
    symbols = replace(kernel.symbols, globals=kernel.symbols.globals - set(names))
    return replace(kernel, symbols=symbols)


def test_an_update_that_changes_nothing_needs_nothing(
    workspace: Workspace, generic: Kernel
) -> None:
    workspace.install()
    save(workspace, generic, "old")
    save(workspace, without(generic, "kthread_create"), "new")
    ran = workspace.run("plan", "--from", "old", "--to", "new")
    assert ran.status == 0, ran.err
    assert "symbols: 1 gone, 0 new" in ran.out
    assert ran.out.endswith(
        "nothing to do: every installed module loads with the new kernel as it is\n"
    )


def test_a_module_with_other_options_cannot_stay_where_drift_is_refused(
    workspace: Workspace, generic: Kernel
) -> None:
    workspace.edit("modules/gamma/gamma.yaml", "[SHIFT=1]", "[SHIFT=1, DEBUG]")
    workspace.install()
    save(workspace, generic, "old")
    words = ("plan", "--from", "old", "--to", "old")
    assert workspace.run(*words).status == 0
    ran = workspace.run(*words, "--drift", "refuse")
    assert (ran.status, "gamma: option-refused" in ran.out) == (2, True), ran.out


def test_a_new_version_needs_every_module_anew_in_its_own_directory(
    workspace: Workspace, generic: Kernel
) -> None:
    workspace.install()
    shutil.rmtree(workspace.path("modules/gamma"))
    save(workspace, generic, "old")
    newer = replace(without(generic, "printf"), version=parse_version("10.99.13"))
    save(workspace, newer, "new")
    before = workspace.digests()
    ran = workspace.run("plan", "--from", "old", "--to", "new")
    assert ran.status == 2
    assert "new directory: /stand/amd64/10.99.13/modules, is not there yet" in ran.out
    assert "must be built anew (2): alpha, beta\n" in ran.out
    assert "and does not load any more (1): gamma\n" in ran.out
    assert "beta: uses what is gone: printf\n" in ran.out
    assert "alpha: uses" not in ran.out
    assert workspace.digests() == before


def test_the_same_version_without_a_symbol_names_who_uses_it(
    workspace: Workspace, generic: Kernel
) -> None:
    workspace.install()
    save(workspace, generic, "old")
    save(workspace, without(generic, "printf"), "new")
    ran = workspace.run("plan", "--from", "old", "--to", "new", "--json")
    assert ran.status == 2
    document = json.loads(ran.out)
    assert document["symbols_gone"] == ["printf"]
    assert document["rebuilt"] == ["beta"]
    modules = {module["name"]: module for module in document["modules"]}
    assert modules["beta"]["symbols_gone"] == ["printf"]
    assert "undefined-symbol" in modules["beta"]["reason"]
    assert modules["alpha"]["reason"] == ""


def test_modules_that_the_kernel_takes_in_or_gives_up_are_named(
    workspace: Workspace, generic: Kernel
) -> None:
    workspace.install()
    assert generic.builtins is not None
    number = generic.version.number
    with_alpha = (*generic.builtins, BuiltinModule("alpha", 1, number))
    save(workspace, generic, "old")
    save(workspace, replace(generic, builtins=with_alpha), "new")
    ran = workspace.run("plan", "--from", "old", "--to", "new")
    assert "becomes part of the kernel, and is refused as a file (1): alpha" in ran.out
    shutil.rmtree(workspace.path("destdir/stand/amd64/10.99.12/modules/alpha"))
    ran = workspace.run("plan", "--from", "new", "--to", "old")
    assert "beta: requires what was built in and is gone: alpha" in ran.out
    assert ran.status == 2


def test_without_installed_modules_there_is_no_plan(workspace: Workspace, generic: Kernel) -> None:
    save(workspace, generic, "old")
    ran = workspace.run("plan", "--from", "old", "--to", str(Path(SMALL)))
    assert (ran.status, "no module for amd64 10.99.12 (GENERIC) is installed there" in ran.err) == (
        1,
        True,
    )
