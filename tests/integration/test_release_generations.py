"""Going back, pruning, listing what is installed, and verifying it, as a person would."""

import json
from pathlib import Path

import pytest
from workspace import STAND, Workspace


@pytest.fixture
def twice(workspace: Workspace) -> Workspace:
    """Give a tree with two generations: gamma changed and delta came in the second."""
    workspace.install()
    workspace.edit("modules/gamma/tables.c", "<<", ">>")
    workspace.write("modules/delta/delta.yaml", "class: misc\nsources: [delta.c]\n")
    text = workspace.path("modules/alpha/alpha.c").read_text()
    text = text.replace('#include "alpha.h"\n', "").replace("ALPHA_STEP", "1")
    text = text.replace("alpha_count(void)\n", "delta_count(void);\nint\ndelta_count(void)\n")
    workspace.write("modules/delta/delta.c", text.replace("alpha", "delta"))
    workspace.install()
    return workspace


def test_a_rollback_brings_the_former_tree_and_the_next_the_later(twice: Workspace) -> None:
    later = twice.digests(STAND)
    assert "1: 3 modules" in twice.run("rollback", "--list").out
    ran = twice.run("rollback")
    assert ran.status == 0
    assert "1 module restored, 1 removed (delta)" in ran.out
    former = twice.digests(STAND)
    assert set(later) - set(former) == {f"{STAND}/delta/delta.kmod"}
    assert "delta.kmod" not in twice.path("destdir/METALOG").read_text()
    assert twice.run("verify").status == 0
    assert twice.run("rollback").status == 0
    assert twice.digests(STAND) == later
    assert twice.run("verify").status == 0


def test_after_a_rollback_install_goes_forward_again(twice: Workspace) -> None:
    later = twice.digests(STAND)
    twice.run("rollback")
    assert not twice.install().is_nothing_to_do
    assert twice.digests(STAND) == later
    assert twice.install().is_nothing_to_do


def test_files_of_others_survive_a_rollback(twice: Workspace) -> None:
    twice.write(f"{STAND}/README", "of someone")
    assert "kept, not installed by modbuild: README" in twice.run("rollback").out
    assert twice.path(f"{STAND}/README").read_text() == "of someone"


def test_a_generation_that_was_harmed_is_refused(twice: Workspace) -> None:
    (kmod,) = twice.path("obj").glob("*/generations/*/*/1/modules/gamma/gamma.kmod")
    kmod.chmod(0o644)
    kmod.write_bytes(b"rotten")
    before = twice.digests(STAND)
    ran = twice.run("rollback")
    assert ran.status == 1
    assert "not as it was installed; generation 1 cannot be restored" in ran.err
    assert twice.digests(STAND) == before


def test_generations_are_pruned_and_unknown_ones_refused(twice: Workspace) -> None:
    ran = twice.run("rollback", "--to", "7")
    assert (ran.status, "no generation 7; there are 1" in ran.err) == (3, True)
    assert twice.run("prune", "--keep", "0").out == "1 generation removed, 0 kept\n"
    ran = twice.run("rollback")
    assert (ran.status, "no former generation" in ran.err) == (3, True)


def test_clean_keeps_what_can_be_gone_back_to(twice: Workspace) -> None:
    assert twice.run("clean").status == 0
    assert twice.run("rollback").status == 0


def test_versions_lists_every_tree(twice: Workspace) -> None:
    twice.write("destdir/stand/i386/10.99.9/modules/x/x.kmod", "of someone")
    ran = twice.run("versions")
    assert ran.out.splitlines()[1] == "i386 10.99.9: 1 module, 0 kB, not installed from here"
    assert ran.out.startswith("amd64 10.99.12: 4 modules, ")
    twice.path(f"{STAND}/gamma/gamma.kmod").unlink()
    assert "incomplete, missing gamma.kmod" in twice.run("versions").out
    document = json.loads(twice.run("versions", "--json").out)
    assert [(tree["machine"], tree["is_complete"]) for tree in document] == [
        ("amd64", False),
        ("i386", True),
    ]


def harm(workspace: Workspace, what: str) -> None:
    kmod = workspace.path(f"{STAND}/gamma/gamma.kmod")
    match what:
        case "file-missing":
            kmod.unlink()
        case "file-mode":
            kmod.chmod(0o644)
        case "file-replaced":
            kmod.unlink()
            kmod.symlink_to("/dev/null")
        case "file-changed":
            content = bytearray(kmod.read_bytes())
            content[len(content) // 2] ^= 1
            kmod.chmod(0o644)
            kmod.write_bytes(content)
            kmod.chmod(0o444)
        case "metalog-missing":
            metalog = workspace.path("destdir/METALOG")
            lines = metalog.read_text().splitlines(keepends=True)
            metalog.write_text("".join(line for line in lines if "gamma.kmod" not in line))
        case "metalog-differs":
            words = "gamma.kmod type=file uname=root gname=wheel mode="
            workspace.edit("destdir/METALOG", f"{words}0444", f"{words}0555")


@pytest.mark.parametrize(
    "rule",
    [
        "file-missing", "file-mode", "file-replaced", "file-changed", "metalog-missing",
        "metalog-differs",
    ],
)  # fmt: skip
def test_verify_names_each_kind_of_harm(workspace: Workspace, rule: str) -> None:
    workspace.install()
    assert workspace.run("verify").status == 0
    harm(workspace, rule)
    ran = workspace.run("verify", "--json")
    assert ran.status == 2
    findings = json.loads(ran.out)["findings"]
    assert rule in {finding["rule"] for finding in findings}
    assert all(Path(finding["path"]).is_absolute() for finding in findings)


def test_verify_warns_of_files_of_others(workspace: Workspace) -> None:
    workspace.install()
    workspace.write(f"{STAND}/gamma/README", "of someone")
    ran = workspace.run("verify")
    assert ran.status == 0
    assert "gamma/README: warning: file-extra" in ran.out


def test_verify_goes_by_metalog_where_no_receipts_are(workspace: Workspace) -> None:
    workspace.install()
    workspace.path("destdir").rename(workspace.path("moved"))
    assert workspace.run("verify", "moved").status == 0
    harmed = workspace.path("moved/stand/amd64/10.99.12/modules/alpha/alpha.kmod")
    harmed.unlink()
    ran = workspace.run("verify", "moved")
    assert (ran.status, "file-missing" in ran.out) == (2, True)
    workspace.path("moved/METALOG").unlink()
    ran = workspace.run("verify", "moved")
    assert (ran.status, "nothing tells what is installed" in ran.err) == (1, True)


def test_verify_tells_of_a_kernel_newer_than_its_modules(workspace: Workspace) -> None:
    workspace.install()
    newer = "modbuild"
    kernel = workspace.path(newer)
    kernel.write_text("0000000000000001 T printf\n")
    ran = workspace.run("verify", "--kernel", newer, "--release", "10.99.13")
    assert ran.status == 2
    assert "no-modules-for-kernel" in ran.out
    assert "modules that are installed are for 10.99.12" in ran.out


def test_prune_takes_left_over_modules_away_with_an_install(twice: Workspace) -> None:
    for name in ("delta.c", "delta.yaml"):
        twice.path(f"modules/delta/{name}").unlink()
    assert "left over" in twice.install().out
    assert twice.path(f"{STAND}/delta/delta.kmod").exists()
    assert "left over" not in twice.install("--prune").out
    assert not twice.path(f"{STAND}/delta").exists()
    assert "delta" not in twice.path("destdir/METALOG").read_text()
    assert "3 modules" in twice.run("rollback", "--list").out.splitlines()[0]
    twice.run("rollback")
    assert twice.path(f"{STAND}/delta/delta.kmod").exists()


def test_replace_only_leaves_what_is_required_as_it_is(workspace: Workspace) -> None:
    workspace.install()
    before = workspace.digests(STAND)
    workspace.edit("modules/alpha/alpha.c", "count +=", "count -=")
    workspace.edit("modules/beta/beta.c", "alpha_count() + ", "alpha_count() - ")
    workspace.install("--replace-only", "beta")
    after = workspace.digests(STAND)
    assert {name for name in after if after[name] != before[name]} == {f"{STAND}/beta/beta.kmod"}
    ran = workspace.run("install", "--replace-only")
    assert (ran.status, "name the modules to replace" in ran.err) == (3, True)


def test_replace_only_refuses_what_the_installed_requirement_does_not_offer(
    workspace: Workspace,
) -> None:
    workspace.install()
    before = workspace.digests(STAND)
    workspace.edit("modules/alpha/alpha.h", "int alpha_count(void);", "int alpha_more(void);")
    workspace.edit("modules/alpha/alpha.c", "alpha_count", "alpha_more")
    workspace.edit("modules/beta/beta.c", "alpha_count", "alpha_more")
    ran = workspace.run("install", "--replace-only", "beta")
    assert ran.status == 2
    assert "alpha_more" in ran.err
    assert workspace.digests(STAND) == before
    workspace.install()
