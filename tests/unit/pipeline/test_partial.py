"""With -k: what passed is installed, unless it is tied to something that must stay as it was."""

from workspace import STAND, Workspace

BROKEN = "int broken(\n"


def installed(workspace: Workspace) -> dict[str, str]:
    return {
        name.removeprefix(f"{STAND}/"): digest
        for name, digest in workspace.digests().items()
        if name.endswith(".kmod")
    }


def test_without_k_a_failure_installs_nothing(workspace: Workspace) -> None:
    workspace.install()
    before = workspace.digests()
    workspace.edit("modules/gamma/tables.c", "<<", ">>")
    workspace.edit("modules/beta/beta.c", "static void", BROKEN + "static void")
    ran = workspace.run("install", "-j1")
    assert ran.status == 1
    assert "0 installed" in ran.err
    assert workspace.digests() == before


def test_with_k_the_others_are_installed_and_the_failed_one_stays(workspace: Workspace) -> None:
    workspace.install()
    before = installed(workspace)
    workspace.edit("modules/gamma/tables.c", "<<", ">>")
    workspace.edit("modules/beta/beta.c", "static void", BROKEN + "static void")
    ran = workspace.run("install", "-k")
    assert ran.status == 1
    assert "3 modules: 2 built, 2 checked, 2 installed" in ran.err
    after = installed(workspace)
    assert {name for name in after if after[name] != before[name]} == {"gamma/gamma.kmod"}
    again = workspace.run("install", "-k")
    assert again.steps <= {"compile:beta/beta.o"}
    assert installed(workspace) == after


def test_what_the_failed_one_was_judged_with_stays_too(workspace: Workspace) -> None:
    workspace.install()
    before = installed(workspace)
    workspace.edit("modules/alpha/alpha.c", "count +=", "count -=")
    workspace.edit("modules/gamma/tables.c", "<<", ">>")
    workspace.edit("modules/beta/beta.c", "static void", BROKEN + "static void")
    ran = workspace.run("install", "-k")
    assert ran.status == 1
    assert "left out after that: alpha" in ran.err
    after = installed(workspace)
    assert {name for name in after if after[name] != before[name]} == {"gamma/gamma.kmod"}
    workspace.edit("modules/beta/beta.c", BROKEN, "")
    workspace.install()
    assert installed(workspace)["alpha/alpha.kmod"] != before["alpha/alpha.kmod"]


def test_one_that_was_never_installed_holds_nobody_back(workspace: Workspace) -> None:
    workspace.edit("modules/beta/beta.c", "static void", BROKEN + "static void")
    ran = workspace.run("install", "-k")
    assert ran.status == 1
    assert set(installed(workspace)) == {"alpha/alpha.kmod", "gamma/gamma.kmod"}
    metalog = workspace.path("destdir/METALOG").read_text()
    assert "gamma.kmod" in metalog
    assert "beta" not in metalog


def test_nothing_is_installed_when_all_is_tied_to_the_failed_one(workspace: Workspace) -> None:
    workspace.install()
    before = workspace.digests()
    workspace.edit("modules/alpha/alpha.c", "static int count", BROKEN + "static int count")
    ran = workspace.run("install", "-k", "beta")
    assert ran.status == 1
    assert workspace.digests() == before
