"""What clean takes away and what it leaves, and what other verbs then still know."""

import pytest
from workspace import STAND, Workspace


@pytest.fixture
def odd(workspace: Workspace) -> Workspace:
    """Give the tree with modules named as directories of modbuild's own."""
    source = workspace.path("modules/alpha/alpha.c").read_text().replace('#include "alpha.h"\n', "")
    for name in ("receipts", "generations"):
        text = source.partition("static int count")[0].replace("alpha", name)
        workspace.write(f"modules/{name}/{name}.c", text)
        workspace.write(f"modules/{name}/{name}.yaml", f"class: misc\nsources: [{name}.c]\n")
    workspace.install()
    return workspace


def test_cleaning_keeps_what_is_known_of_installed_modules(odd: Workspace) -> None:
    installed = odd.digests()
    for words in (("receipts", "generations", "alpha"), ()):
        assert odd.run("clean", *words).status == 0
        assert odd.digests() == installed
        if words:
            assert odd.path("obj/amd64-x86_64/gamma/gamma.kmod").exists()
            assert not odd.path("obj/amd64-x86_64/alpha").exists()
    assert not odd.path("obj/amd64-x86_64/gamma").exists()
    ran = odd.run("uninstall")
    assert ran.status == 0
    assert list(odd.path("destdir").rglob("*.kmod")) == []
    assert "kmod" not in odd.path("destdir/METALOG").read_text()


def test_a_tree_that_was_cleaned_is_built_again(odd: Workspace) -> None:
    before = odd.digests()
    assert odd.run("clean").status == 0
    assert "compile:receipts/receipts.o" in odd.install().steps
    assert odd.digests() == before
    assert odd.run("clean", "beta").status == 0
    steps = odd.install().steps
    assert {"compile:beta/beta.o", "link:beta", "check:beta"} <= steps
    assert not any("gamma" in step for step in steps)
    assert odd.install().is_nothing_to_do
    assert odd.path(f"{STAND}/receipts/receipts.kmod").exists()


def test_an_unknown_name_cleans_nothing(odd: Workspace) -> None:
    before = odd.digests("obj")
    ran = odd.run("clean", "nothing")
    assert ran.status == 3
    assert "no module nothing" in ran.err
    after = odd.digests("obj")
    changed = {name for name in before if before[name] != after.get(name)}
    assert all(name.endswith("/lock") or "/.snapshots/" in name for name in changed)
