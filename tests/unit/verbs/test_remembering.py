"""A check that is asked again: the same answer at once, and never an old one."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from workspace import Ran, Workspace

ZERO_STATUS, FINDINGS = 0, 2


@pytest.fixture
def built(workspace: Workspace) -> Workspace:
    """Give the small tree built, its files old enough to be known by their stamps."""
    assert workspace.run("build").status == 0
    workspace.path("kmods/deep").mkdir(parents=True)
    for name in ("alpha", "beta"):
        shutil.copy(
            next(workspace.path("obj").rglob(f"{name}.kmod")), workspace.path(f"kmods/{name}.kmod")
        )
    time.sleep(0.05)
    return workspace


def answers(workspace: Workspace) -> list[Path]:
    directory = Path(f"{workspace.directory}.cache") / "check"
    return sorted(directory.iterdir()) if directory.exists() else []


def ask(workspace: Workspace, *words: str) -> Ran:
    return workspace.run("check", *words, "kmods")


def test_the_same_question_is_answered_from_what_was_kept(built: Workspace) -> None:
    first = ask(built)
    (kept,) = answers(built)
    content = kept.read_bytes()
    assert b"2 kmods: 2 loads" in content
    kept.write_bytes(content.replace(b"2 kmods: 2 loads", b"2 KMODS: 2 LOADS"))
    second = ask(built)
    assert (second.status, second.out) == (
        first.status,
        first.out.replace("2 kmods: 2 loads", "2 KMODS: 2 LOADS"),
    )
    assert ask(built, "--no-cache").out == first.out


def change_a_module(workspace: Workspace) -> None:
    workspace.path("kmods/alpha.kmod").write_bytes(b"no ELF file")


def change_it_and_keep_its_time(workspace: Workspace) -> None:
    path = workspace.path("kmods/alpha.kmod")
    status = path.stat()
    content = bytearray(path.read_bytes())
    content[:4] = b"none"
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def add_a_module(workspace: Workspace) -> None:
    workspace.path("kmods/further.kmod").write_bytes(b"no ELF file")


def add_a_module_below(workspace: Workspace) -> None:
    workspace.path("kmods/deep/further.kmod").write_bytes(b"no ELF file")


def remove_a_module(workspace: Workspace) -> None:
    workspace.path("kmods/alpha.kmod").unlink()


def add_a_plist(workspace: Workspace) -> None:
    workspace.path("kmods/alpha.plist").write_text("no property list")


def write_settings(workspace: Workspace) -> None:
    workspace.write("modbuild.yaml", "release: '10.1'\n")


@pytest.mark.parametrize(
    "change",
    [change_a_module, change_it_and_keep_its_time, add_a_module, add_a_module_below,
     remove_a_module, add_a_plist, write_settings],
)  # fmt: skip
def test_after_any_change_the_check_is_made_again(
    built: Workspace, change: Callable[[Workspace], None]
) -> None:
    assert ask(built).status == ZERO_STATUS
    assert ask(built).status == ZERO_STATUS
    change(built)
    again = ask(built)
    assert again.status == FINDINGS
    assert again.out == ask(built, "--no-cache").out


def test_dots_after_a_link_lead_where_the_link_leads(built: Workspace) -> None:
    built.path("far/away").mkdir(parents=True)
    built.path("kmods").rename(built.path("far/kmods"))
    built.path("link").symlink_to("far/away")
    for _ in range(2):
        assert built.run("check", "link/../kmods").status == ZERO_STATUS
    built.path("far/kmods/alpha.kmod").write_bytes(b"no ELF file")
    assert built.run("check", "link/../kmods").status == FINDINGS


def test_findings_are_remembered_with_their_status(built: Workspace) -> None:
    change_a_module(built)
    time.sleep(0.05)
    runs = [ask(built) for _ in range(3)]
    assert {run.status for run in runs} == {FINDINGS}
    assert len({run.out for run in runs}) == 1
    assert len(answers(built)) == 1


def test_another_kernel_version_is_another_question(built: Workspace) -> None:
    assert ask(built).status == ZERO_STATUS
    assert ask(built, "--release", "10.1").status == FINDINGS
    assert ask(built).status == ZERO_STATUS


def test_a_report_is_written_each_time(built: Workspace) -> None:
    for _ in range(2):
        ask(built, "--report", "json=report.json")
        built.path("report.json").unlink()
    assert answers(built) == []


def test_a_damaged_foreign_or_removed_cache_is_no_trouble(built: Workspace) -> None:
    first = ask(built)
    directory = answers(built)[0].parent
    answers(built)[0].write_bytes(b"damaged")
    assert ask(built).out == first.out
    directory.chmod(0o777)  # anybody may have written there
    content = answers(built)[0].read_bytes()
    answers(built)[0].write_bytes(content.replace(b"2 loads", b"9 loads"))
    assert ask(built).out == first.out
    shutil.rmtree(directory)
    assert ask(built).out == first.out
    shutil.rmtree(directory.parent)
    directory.parent.write_text("a file in the way")
    ran = ask(built)
    assert (ran.status, ran.out, ran.err) == (first.status, first.out, "")


def test_no_more_than_some_answers_are_kept(built: Workspace) -> None:
    ask(built)
    directory = answers(built)[0].parent
    for number in range(80):
        (directory / f"old{number}").write_bytes(b"")
        os.utime(directory / f"old{number}", (1, 1))
    ask(built, "--strict")
    assert len(answers(built)) == 64
    assert sum(path.name.startswith("old") for path in answers(built)) == 62
