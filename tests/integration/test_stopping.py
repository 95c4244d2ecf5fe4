"""Runs that are stopped, hang, or meet each other; compilers of one's own that change in place."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from workspace import Workspace, make_workspace

from buildsys.toolchain.discover import load_toolchain
from buildsys.toolchain.machine import load_machine

# Notes each call that compiles or links; hangs (with a child that keeps the output open) where
# the file 'hang' is and has a pattern of the command in it.
_WRAPPER = """#!/bin/sh
case " $* " in
*" -MD "*)
   echo "$*" >> {log}
   if test -e {hang} && echo "$*" | grep -q "$(cat {hang})"; then
	sleep 60 &
	setsid sleep 20 &
	wait
   fi ;;
*" -r "*) echo "$*" >> {log} ;;
esac
exec {program} "$@"
"""


@pytest.fixture
def tooled(tmp_path: Path) -> Workspace:
    """Give the small tree with a TOOLDIR whose compiler and linker note that they were called."""
    zig = load_toolchain("zig", load_machine("amd64"), None, os.environ).cc.argv[0]
    tools = tmp_path / "tooldir/bin"
    tools.mkdir(parents=True)
    programs = {
        "clang": f'{zig} clang --no-default-config -target x86_64--netbsd -B "{tools}/lib"',
        "ld": f"{zig} ld.lld",
    }
    for name, program in programs.items():
        script = tools / f"x86_64--netbsd-{name}"
        is_compiler = "yes" if name == "clang" else "no"
        script.write_text(
            _WRAPPER.format(
                log=tmp_path / "calls", hang=tmp_path / "hang", program=program,
                is_compiler=is_compiler,
            )
        )  # fmt: skip
        script.chmod(0o755)
    (tools / "lib").mkdir()
    (tools / "lib/ld").symlink_to("../x86_64--netbsd-ld")
    return make_workspace(tmp_path, TOOLDIR=str(tmp_path / "tooldir"))


def calls(tree: Workspace) -> int:
    """Count the calls of compiler and linker since the last count."""
    log = tree.path("calls")
    lines = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return len(lines)


def test_a_second_run_starts_no_program_at_all(tooled: Workspace) -> None:
    tooled.install()
    assert calls(tooled) > 9
    assert tooled.install().is_nothing_to_do
    assert not tooled.path("calls").exists()
    # The long way asks the compiler what it would run, and compiles nothing.
    shutil.rmtree(tooled.path("obj/.snapshots"))
    assert tooled.install().is_nothing_to_do
    assert calls(tooled) == 0


def test_a_compiler_replaced_in_place_rebuilds_all(tooled: Workspace) -> None:
    tooled.install()
    script = tooled.path("tooldir/bin/x86_64--netbsd-clang")
    status = script.stat()
    text = script.read_text()
    script.write_text(text.replace("esac\n", "esac;"))
    os.utime(script, ns=(status.st_atime_ns, status.st_mtime_ns))
    steps = tooled.install().steps
    assert {"compile:alpha/alpha.o", "compile:beta/beta.o", "compile:gamma/tables.o"} <= steps
    script.write_text(text.replace('"$@"', '"$@" -DSHIFT=3'))
    assert "compile:gamma/tables.o" in tooled.run("install", "-k").steps
    script.write_text(text)
    assert "compile:gamma/tables.o" in tooled.install().steps
    assert tooled.install().is_nothing_to_do
    assert tooled.digests() == tooled.build_anew()


def test_a_hanging_compiler_is_ended_by_the_timeout(tooled: Workspace) -> None:
    tooled.write("hang", "")
    begin = time.monotonic()
    ran = tooled.run("install", "--timeout", "0.5", "gamma")
    assert time.monotonic() - begin < 15  # although a process that left the group lives on
    assert ran.status == 1
    assert "still running after 0.5 s, ended" in ran.err
    tooled.path("hang").unlink()
    tooled.install()
    assert tooled.digests() == tooled.build_anew()


def wait_for_calls(tree: Workspace, what: str = "") -> None:
    deadline = time.monotonic() + 30
    while not tree.path("calls").exists() or what not in tree.path("calls").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.0005)  # short: signals that come at once were lost


def test_a_second_run_meanwhile_says_who_holds_the_directory(tooled: Workspace) -> None:
    tooled.write("hang", "")
    with tooled.running("install") as first:
        wait_for_calls(tooled)
        for words in (("install",), ("clean",), ("uninstall",), ("why",)):
            ran = tooled.run(*words)
            assert ran.status == 1
            assert f"in use by process {first.pid} (building amd64-x86_64)" in ran.err
        # Another object directory is free, and reading needs no lock.
        assert tooled.run("list").status == 0
        other = Workspace(tooled.directory)
        assert other.run("install", "-m", "i386").status == 0
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=30)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_run_and_its_programs(tooled: Workspace, number: int) -> None:
    tooled.write("hang", "")
    with tooled.running("install", "-k") as child:
        wait_for_calls(tooled)
        child.send_signal(number)
        output, _ = child.communicate(timeout=30)
    assert child.returncode == 1
    assert "Interrupted; the next run goes on from here." in output
    assert "Traceback" not in output
    assert tooled.temporaries() == []
    found = subprocess.run(("pgrep", "-f", str(tooled.path("tooldir"))), capture_output=True)
    assert found.stdout == b""
    tooled.path("hang").unlink()
    tooled.install()
    assert tooled.install().is_nothing_to_do
    assert tooled.digests() == tooled.build_anew()


@pytest.mark.parametrize("is_known", [True, False])
def test_a_signal_ends_a_run_with_k_and_nothing_is_installed(
    tooled: Workspace, is_known: bool
) -> None:
    tooled.install("-k", "-j1")
    before = tooled.digests()
    tooled.edit("modules/alpha/alpha.h", "STEP 1", "STEP 2")
    tooled.edit("modules/gamma/gamma.c", "? gamma", "?  gamma")
    if not is_known:
        shutil.rmtree(tooled.path("obj/.snapshots"))
    tooled.path("calls").unlink()
    tooled.write("hang", "gamma[.]c")
    with tooled.running("install", "-k", "-j1") as child:
        wait_for_calls(tooled, "gamma.c")
        child.send_signal(signal.SIGINT)
        output, _ = child.communicate(timeout=30)
    assert child.returncode == 1
    assert "#   install  alpha" in output
    assert "Interrupted; the next run goes on from here." in output
    assert tooled.digests() == before
    tooled.path("hang").unlink()
    tooled.install("-k")
    assert tooled.digests() == tooled.build_anew()


def test_a_run_killed_at_any_moment_is_completed_by_the_next(workspace: Workspace) -> None:
    workspace.install()
    wanted = workspace.digests()
    begin = time.monotonic()
    shutil.rmtree(workspace.path("obj"))
    workspace.install()
    full_seconds = time.monotonic() - begin
    for number in range(8):
        if number % 3 == 0:
            for name in ("obj", "destdir"):
                shutil.rmtree(workspace.path(name), ignore_errors=True)
        workspace.edit("modules/alpha/alpha.h", f"STEP {number + 1}", f"STEP {number + 2}")
        with workspace.running("install"):  # killed at the end of the block
            time.sleep(full_seconds * (0.3 + 0.09 * number))
        for path in workspace.path("destdir").rglob("*.kmod"):
            assert path.read_bytes()[:4] == b"\x7fELF"
    workspace.restore()
    workspace.install()
    assert workspace.install().is_nothing_to_do
    assert workspace.digests() == wanted
    assert workspace.temporaries() == []


def test_temporary_files_of_killed_compilers_are_taken_away(tooled: Workspace) -> None:
    """A compiler puts them where TMPDIR says: that is emptied by the next run and at the end."""
    script = tooled.path("tooldir/bin/x86_64--netbsd-clang")
    line = f'echo "$TMPDIR" > {tooled.path("told")}; mktemp > /dev/null\n'
    script.write_text(script.read_text().replace("exec ", f"{line}exec "))
    tooled.write("hang", "")
    with tooled.running("install"):  # killed at the end of the block
        wait_for_calls(tooled)
    tooled.path("hang").unlink()
    tooled.install()
    scratch = Path(tooled.path("told").read_text().strip())
    assert scratch == tooled.path("obj/amd64-x86_64/.modbuild/scratch")
    assert not scratch.exists()
    scratch.mkdir()
    left = scratch / "cc123.s"
    left.write_text("of a killed compiler")
    tooled.edit("modules/alpha/alpha.c", "count +=", "count -=")
    tooled.install()
    assert not left.exists()


def test_in_a_directory_with_a_percent_sign_compilers_find_a_place(tmp_path: Path) -> None:
    tree = make_workspace(tmp_path / "100%%")
    tree.install()
    assert tree.install().is_nothing_to_do
