"""Runs on a disk that is full or read-only, or without memory: told, whole, and completed later."""

import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from workspace import STAND, Workspace, make_unfit, make_workspace

PAGE_KIB = 4


def mount(*words: str) -> bool:
    return subprocess.run(("mount", *words), capture_output=True).returncode == 0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Workspace]:
    """Give the small tree in a small file system of its own, where one may be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    if not mount("-t", "tmpfs", "-o", "size=64m", "tmpfs", str(place)):
        pytest.skip("no file system may be mounted here (that needs root)")
    try:
        yield make_workspace(place)
    finally:
        subprocess.run(("umount", "-l", str(place)), check=True)


def used_kib(tree: Workspace) -> int:
    return sum(
        -(-path.stat().st_size // (PAGE_KIB * 1024)) * PAGE_KIB
        for path in tree.directory.rglob("*")
        if path.is_file()
    )


def assert_whole(tree: Workspace, wanted: dict[str, str]) -> None:
    """Check that what is installed is right: nothing, or all."""
    found = {name: made for name, made in tree.digests().items() if name.startswith(STAND)}
    assert found in ({}, {name: made for name, made in wanted.items() if name.startswith(STAND)})


def test_a_disk_that_gets_full_at_any_size_is_told_and_the_next_run_completes(
    disk: Workspace,
) -> None:
    empty = used_kib(disk)
    disk.install()
    full, wanted = used_kib(disk), disk.digests()
    statuses = []
    for part in range(9):
        for name in ("obj", "destdir"):
            subprocess.run(("rm", "-rf", str(disk.path(name))), check=True)
        size = empty + (full - empty) * part // 8 + PAGE_KIB
        assert mount("-o", f"remount,size={size}k", str(disk.directory))
        ran = disk.run("install", "-k")
        statuses.append(ran.status)
        assert ran.status in (0, 1), ran.err
        assert ran.status == 0 or ran.err, ran.out
        assert_whole(disk, wanted)
        assert mount("-o", "remount,size=64m", str(disk.directory))
        disk.install()
        assert disk.digests() == wanted
        assert disk.temporaries() == []
    assert statuses.count(1) > 3


def test_a_full_destdir_beside_an_unfit_kmod_is_not_remembered(workspace: Workspace) -> None:
    make_unfit(workspace)
    destdir = workspace.path("destdir")
    destdir.mkdir()
    if not mount("-t", "tmpfs", "-o", f"size={2 * PAGE_KIB}k", "tmpfs", str(destdir)):
        pytest.skip("no file system may be mounted here (that needs root)")
    try:
        for _ in range(2):
            ran = workspace.run("install", "-k")
            assert ran.status == 1
            assert "No space left on device" in ran.err
        assert mount("-o", "remount,size=64m", str(destdir))
        for _ in range(2):
            assert workspace.run("install", "-k").status == 2
            assert workspace.path(f"{STAND}/beta/beta.kmod").exists()
    finally:
        subprocess.run(("umount", "-l", str(destdir)), check=True)


def test_a_read_only_disk_is_told_and_the_next_run_completes(disk: Workspace) -> None:
    disk.install()
    before = disk.digests()
    disk.edit("modules/alpha/alpha.h", "STEP 1", "STEP 2")
    assert mount("-o", "remount,ro", str(disk.directory))
    ran = disk.run("install")
    assert ran.status == 1
    assert "Read-only file system" in ran.err
    assert disk.digests() == before
    assert mount("-o", "remount,rw", str(disk.directory))
    disk.install()
    assert disk.digests() == disk.build_anew() != before


@pytest.mark.parametrize("megabytes", [24, 60, 120, 400, 800])
def test_refused_memory_is_told_and_the_next_run_completes(
    workspace: Workspace, megabytes: int
) -> None:
    limit = megabytes << 20
    ran = subprocess.run(
        workspace.command("install"),
        cwd=workspace.directory,
        env=workspace.full_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    if megabytes > 60:  # less is not enough for Python itself
        assert "Traceback" not in ran.stderr, ran.stderr
        assert ran.returncode in (0, 1), ran.stderr
    if workspace.path("destdir").exists():
        assert_whole(workspace, workspace.build_anew())
    workspace.install()
    assert workspace.digests() == workspace.build_anew()
    assert workspace.temporaries() == []
