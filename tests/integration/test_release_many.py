"""Many machines and kernels in one call: stages, summary, status, reports."""

import json
import os
import tarfile
from xml.etree import ElementTree

import pytest
from workspace import CLONE, Workspace

from buildsys.pipeline.release import share_jobs, worst_status

SMALL = CLONE / "tests/data/amd64-10.99.12-small-kernel.kmap.gz"
MACHINES = "amd64,i386,evbarm-aarch64"


def test_a_release_gives_each_machine_its_tree_and_sets(workspace: Workspace) -> None:
    ran = workspace.run("release", "-m", MACHINES, "-o", "out")
    assert ran.status == 0, ran.out + ran.err
    for name in ("amd64-x86_64", "i386-i386", "evbarm-aarch64"):
        machine = name.partition("-")[0]
        with tarfile.open(workspace.path(f"out/{name}/sets/modules.tgz")) as archive:
            names = archive.getnames()
        assert f"./stand/{machine}/10.99.12/modules/gamma/gamma.kmod" in names
        metalog = workspace.path(f"out/{name}/METALOG").read_text()
        assert f"./stand/{machine}/10.99.12/modules/gamma/gamma.kmod " in metalog
        assert f"{name}:\n" in ran.out
    assert "verify: 4 files as installed, for amd64 10.99.12 (GENERIC)" in ran.out
    assert ran.out.endswith("all built, checked, installed, packed, verified\n")
    again = workspace.run("release", "-m", MACHINES, "-o", "out")
    assert "build: 3 modules, 0 steps run" in again.out
    assert workspace.run("verify", "out/amd64-x86_64/destdir").status == 0
    fewer = workspace.run("release", "-m", "amd64", "-o", "out")
    assert "out: 1 target, listed in RELEASE.json" in fewer.out
    assert sorted(os.listdir(workspace.path("out"))) == ["RELEASE.json", "amd64-x86_64"]


def test_a_release_of_named_modules_holds_them_and_what_they_require(workspace: Workspace) -> None:
    def released() -> list[str]:
        assert workspace.run("release", "-m", "amd64", "beta").status == 0
        return sorted(path.stem for path in workspace.path("release").rglob("*.kmod"))

    assert workspace.run("release", "-m", "amd64").status == 0
    assert released() == ["alpha", "beta"]
    workspace.edit("modules/beta/beta.yaml", "requires: [alpha]\n", "")
    workspace.edit("modules/beta/beta.c", ', "alpha"', ", NULL")
    workspace.edit("modules/beta/beta.c", "alpha_count() +", "1 +")
    assert released() == ["beta"]
    metalog = workspace.path("release/amd64-x86_64/METALOG").read_text()
    assert "alpha" not in metalog


@pytest.mark.parametrize("words", [("-m", ","), ("-m", "amd64,"), ("--kernel", "amd64=")])
def test_what_names_no_machine_or_no_kernel_is_wrong_usage(
    workspace: Workspace, words: tuple[str, ...]
) -> None:
    ran = workspace.run("release", *words)
    assert (ran.status, ran.out) == (3, ""), ran.out + ran.err
    assert "expected" in ran.err
    assert not workspace.path("release").exists()


def test_a_quiet_release_says_nothing_but_doubts(workspace: Workspace) -> None:
    ran = workspace.run("release", "-q", "-m", "amd64")
    assert (ran.status, ran.out, ran.err) == (0, "", "")
    ran = workspace.run("release", "-q", "-m", "amd64,i386")
    assert ran.out.startswith("i386-i386:\nnot checked: symbols-unknown")


def test_groups_fold_the_log_where_ci_can(workspace: Workspace) -> None:
    workspace.environment["GITHUB_ACTIONS"] = "true"
    ran = workspace.run("release", "-m", "amd64")
    assert ran.out.startswith("::group::amd64-x86_64\nbuild: ")
    assert (
        "\n::endgroup::\nrelease: 1 target, listed in RELEASE.json\n1 target, 3 modules, "
        in ran.out
    )


def test_a_failure_is_told_and_the_others_go_on_with_k(workspace: Workspace) -> None:
    workspace.write("modules/gamma/tables.c", '#ifdef __i386__\n#error "no"\n#endif\nint x;\n')
    workspace.edit("modules/gamma/gamma.c", "? gamma_table(SHAPE) & 0", "? 0")
    words = ("release", "-m", "i386,amd64", "--report", "json=r.json,junit=r.xml", "-j", "1")
    ran = workspace.run(*words)
    assert ran.status == 1, ran.out + ran.err
    assert "build: failed: " in ran.out
    assert '#error "no"' in ran.out
    assert "after the failure of another target" in ran.out
    assert ran.err.endswith(": failed: i386-i386, amd64-x86_64\n")
    assert not workspace.path("release").exists()
    ran = workspace.run(*words, "-k")
    assert ran.status == 1
    assert ran.err.endswith(": failed: i386-i386\n")
    assert sorted(os.listdir(workspace.path("release"))) == ["RELEASE.json", "amd64-x86_64"]
    released = workspace.digests("release")
    ran = workspace.run("release", "-m", "i386")
    assert "release: left as it was\n" in ran.err
    assert workspace.digests("release") == released
    report = json.loads(workspace.path("r.json").read_bytes())
    words_of = {(m["target"], m["name"]): m["word"] for m in report["modules"]}
    assert words_of["i386-i386", "gamma"] == "failed"
    assert words_of["amd64-x86_64", "gamma"] == "loads"
    assert [stage["state"] for stage in report["targets"][0]["stages"]] == [
        "failed", "left out", "left out",
    ]  # fmt: skip
    suites = ElementTree.parse(workspace.path("r.xml")).getroot()  # noqa: S314  # ours
    assert len(list(suites.iter("failure"))) + len(list(suites.iter("error"))) >= 1


def test_a_module_that_a_kernel_refuses_gives_the_status_of_findings(workspace: Workspace) -> None:
    workspace.edit("modules/gamma/gamma.c", "int gamma_table(int);", "void nowhere(void);")
    workspace.edit("modules/gamma/gamma.c", "? gamma_table(SHAPE) & 0", "? (nowhere(), 0)")
    ran = workspace.run("release", "-m", "amd64", "-k", "--report", "json=r.json")
    assert ran.status == 2, ran.out + ran.err
    assert "nothing offers nowhere" in ran.out
    report = json.loads(workspace.path("r.json").read_bytes())
    assert {m["name"]: m["is_fit"] for m in report["modules"]}["gamma"] is False


def test_several_kernels_of_a_machine_are_targets_of_their_own(workspace: Workspace) -> None:
    generic = next((CLONE / "toolchain/kernel").glob("amd64-*"))
    kernels = ("--kernel", f"amd64={generic}", "--kernel", str(SMALL))
    ran = workspace.run("release", "-m", "amd64", *kernels)
    assert ran.status == 0, ran.out + ran.err
    assert "for amd64 10.99.12 (GENERIC)" in ran.out
    names = sorted(path.name for path in workspace.path("release").glob("*/"))
    assert len(names) == 2
    assert all(name.startswith("amd64-x86_64-") for name in names)
    ran = workspace.run("release", "-m", "i386", "--kernel", str(SMALL))
    assert (ran.status, "for none of the machines i386-i386" in ran.err) == (3, True)
    ran = workspace.run("release", "-m", "amd64,x86_64")
    assert ran.status == 3


@pytest.mark.parametrize(
    ("jobs", "targets", "expected"),
    [(1, 5, (1, 1)), (2, 3, (2, 1)), (8, 3, (3, 2)), (64, 1, (1, 64)), (4, 4, (4, 1))],
)
def test_jobs_are_shared_and_never_exceeded(
    jobs: int, targets: int, expected: tuple[int, int]
) -> None:
    assert share_jobs(jobs, targets) == expected
    assert expected[0] * expected[1] <= jobs


def test_a_failure_weighs_more_than_a_finding() -> None:
    assert [worst_status(some) for some in ((), (0, 2), (2, 1), (3, 2))] == [0, 2, 1, 3]
