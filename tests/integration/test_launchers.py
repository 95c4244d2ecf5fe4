"""Compilers called through real launchers: equal bytes, right hits, work done by other servers."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from workspace import Ran, Workspace, make_workspace

from buildsys.toolchain.discover import load_toolchain
from buildsys.toolchain.machine import load_machine

SOURCES = 4  # of the small tree
COMPILATIONS = SOURCES + 3  # with each module's note


def need(*programs: str) -> pytest.MarkDecorator:
    """Skip a test where a program is not installed."""
    absent = [name for name in programs if shutil.which(name) is None]
    return pytest.mark.skipif(bool(absent), reason=f"{', '.join(absent)}: not installed")


def told(ran: Ran, launcher: str) -> tuple[int, int]:
    """Read the summary's line of a launcher: how many compilations were spared, of how many."""
    match = re.search(rf"^{launcher}: (\d+) of (\d+) compilations? ", ran.out, re.MULTILINE)
    assert match, ran.out + ran.err
    return int(match[1]), int(match[2])


def wipe(tree: Workspace) -> None:
    for name in ("obj", "destdir"):
        shutil.rmtree(tree.path(name), ignore_errors=True)


def plain_build(tree: Workspace) -> dict[str, str]:
    """Build without a launcher; give the digests."""
    environment = {**tree.environment, "MODBUILD_LAUNCHER": ""}
    return Workspace(tree.directory, environment).build_anew()


@pytest.fixture
def cached(tmp_path: Path) -> Workspace:
    """Give the small tree with a ccache of its own, whose user asked for sloppiness."""
    settings = {"CCACHE_DIR": str(tmp_path / "ccache"), "MODBUILD_LAUNCHER": "ccache"}
    (tmp_path / "ccache").mkdir()
    (tmp_path / "ccache/ccache.conf").write_text(
        "sloppiness = include_file_mtime,include_file_ctime,time_macros,locale\n"
        f"base_dir = {tmp_path}\nhard_link = true\nhash_dir = false\n"
    )
    return make_workspace(tmp_path, **settings)


@need("ccache")
def test_ccache_spares_what_was_compiled_before_and_the_bytes_are_equal(
    cached: Workspace,
) -> None:
    assert told(cached.install(), "ccache") == (0, COMPILATIONS)
    wanted = cached.digests()
    assert "ccache" not in cached.install().out  # nothing to do: nothing to tell
    wipe(cached)
    assert told(cached.install(), "ccache") == (COMPILATIONS, COMPILATIONS)
    assert cached.digests() == wanted
    cached.edit("modules/gamma/tables.c", "<<", ">>")
    assert told(cached.install(), "ccache") == (0, 1)
    cached.edit("modules/gamma/tables.c", ">>", "<<")
    assert told(cached.install(), "ccache") == (1, 1)
    assert cached.digests() == wanted == plain_build(cached)


@need("ccache")
def test_a_launcher_given_or_taken_away_rebuilds_nothing(cached: Workspace) -> None:
    Workspace(cached.directory).install()
    assert cached.install().is_nothing_to_do
    assert Workspace(cached.directory).install().is_nothing_to_do


@need("ccache")
def test_ccache_gives_no_object_that_an_earlier_header_would_change(cached: Workspace) -> None:
    cached.install()
    cached.write("modules/first/shape.h", "#define SHAPE 5\n")
    cached.install()
    assert cached.digests() == plain_build(cached)


@need("ccache")
def test_ccache_calls_no_other_compiler_whatever_its_user_set(cached: Workspace) -> None:
    wanted = plain_build(cached)
    other = cached.write("other/clang", '#!/bin/sh\necho called >> "$0.log"\nexit 1\n')
    other.chmod(0o755)
    settings = cached.path("ccache/ccache.conf")
    settings.write_text(f"compiler = {other}\ncompiler_type = gcc\nrun_second_cpp = false\n")
    own = {"CCACHE_COMPILER": str(other), "CCACHE_NOCPP2": "1", "CCACHE_DIRECT": "1"}
    wipe(cached)
    Workspace(cached.directory, {**cached.environment, **own}).install()
    assert cached.digests() == wanted
    assert not other.with_name("clang.log").exists()


@need("ccache")
def test_ccache_does_not_take_another_compiler_for_the_same(cached: Workspace) -> None:
    zig = load_toolchain("zig", load_machine("amd64"), None, os.environ).cc.argv[0]
    tools = cached.path("tooldir/bin")
    programs = {
        "x86_64--netbsd-ld": f"{zig} ld.lld",
        "x86_64--netbsd-clang": str(tools / "inner"),  # stays; what it calls is another
        "inner": f'{zig} clang --no-default-config -target x86_64--netbsd -B "{tools}/lib" -DA',
    }
    for name, program in programs.items():
        text = f'#!/bin/sh\nexec {program} "$@"\n'
        cached.write(f"tooldir/bin/{name}", text).chmod(0o755)
    (tools / "lib").mkdir()
    (tools / "lib/ld").symlink_to("../x86_64--netbsd-ld")
    tree = Workspace(cached.directory, {**cached.environment, "TOOLDIR": str(tools.parent)})
    assert told(tree.install("gamma"), "ccache") == (0, 3)
    inner = tools / "inner"
    status, text = inner.stat(), inner.read_text()
    inner.write_text(text.replace("-DA", "-DB"))  # equal size and time
    os.utime(inner, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert told(tree.install("gamma"), "ccache") == (0, 3)
    inner.write_text(text)
    assert told(tree.install("gamma"), "ccache") == (3, 3)


def find_port(address: str) -> int:
    with socket.socket() as listener:
        listener.bind((address, 0))
        return int(listener.getsockname()[1])


@need("sccache")
def test_sccache_spares_what_was_compiled_before(tmp_path: Path) -> None:
    port = find_port("127.0.0.1")
    settings = {"SCCACHE_DIR": str(tmp_path / "cache"), "SCCACHE_SERVER_PORT": str(port)}
    tree = make_workspace(tmp_path, MODBUILD_LAUNCHER="sccache", **settings)
    try:
        assert told(tree.install(), "sccache") == (0, COMPILATIONS)
        wipe(tree)
        hits, total = told(tree.install(), "sccache")
        assert total == COMPILATIONS
        assert hits >= 4  # not every version takes assembly
        assert tree.digests() == plain_build(tree)
    finally:
        environment = {**os.environ, **settings}
        subprocess.run(("sccache", "--stop-server"), env=environment, capture_output=True)


def listens(address: str, port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((address, port)) == 0


@contextlib.contextmanager
def distcc_server(directory: Path, address: str, slots: int) -> Iterator[str]:
    """Run a distccd on a loopback address; give how a client names it."""
    port = find_port(address)
    log = directory / f"distccd.{address}.log"
    log.touch()
    log.chmod(0o666)
    command = (
        "distccd", "--no-detach", "--daemon", "--listen", address, "--port", str(port),
        "--allow", "127.0.0.0/8", "--jobs", str(slots), "--enable-tcp-insecure",
        "--log-file", str(log), "--user", "nobody",
    )  # fmt: skip
    server = subprocess.Popen(
        command, env={**os.environ, "TMPDIR": str(directory)}, stderr=subprocess.DEVNULL,
        process_group=0,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 20
        while not listens(address, port):
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield f"{address}:{port}/{slots}"
    finally:
        server.terminate()
        server.wait(timeout=20)


def make_public_tools(directory: Path) -> Path:
    """Make a TOOLDIR that every user may use, as a server that gave up its rights must."""
    zig = directory / "zig"
    shutil.copyfile(load_toolchain("zig", load_machine("amd64"), None, os.environ).cc.argv[0], zig)
    zig.chmod(0o755)
    tools = directory / "tooldir/bin"
    (tools / "lib").mkdir(parents=True)
    programs = {
        "clang": f'{zig} clang --no-default-config -target x86_64--netbsd -B "{tools}/lib"',
        "ld": f"{zig} ld.lld",
    }
    for name, program in programs.items():
        script = tools / f"x86_64--netbsd-{name}"
        script.write_text(f'#!/bin/sh\nexec {program} "$@"\n')
        script.chmod(0o755)
    (tools / "lib/ld").symlink_to("../x86_64--netbsd-ld")
    return tools.parent


@pytest.fixture
def distributed() -> Iterator[Workspace]:
    """Give the small tree and two distccd servers that compile for it."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        directory = Path(name)
        directory.chmod(0o777)
        hosts = [
            stack.enter_context(distcc_server(directory, f"127.0.0.{number}", slots))
            for number, slots in ((2, 2), (3, 3))
        ]
        yield make_workspace(
            directory,
            MODBUILD_LAUNCHER="distcc",
            TOOLDIR=str(make_public_tools(directory)),
            DISTCC_HOSTS=" ".join(hosts),
            DISTCC_DIR=str(make_state(directory)),
        )


def make_state(directory: Path) -> Path:
    (directory / "distcc").mkdir()
    return directory / "distcc"


@need("distcc", "distccd")
def test_distcc_has_servers_compile_and_the_bytes_are_equal(distributed: Workspace) -> None:
    ran = distributed.install()
    assert told(ran, "distcc") == (SOURCES, COMPILATIONS)  # assembly stays here
    logs = [distributed.path(f"distccd.127.0.0.{n}.log").read_text() for n in (2, 3)]
    assert sum(log.count("COMPILE_OK") for log in logs) == SOURCES
    assert all("COMPILE_OK" in log for log in logs)
    assert distributed.digests() == plain_build(distributed)
    # Depfiles came along: an edited header is noticed.
    distributed.edit("modules/alpha/alpha.h", "STEP 1", "STEP 2")
    assert {"compile:alpha/alpha.o", "compile:beta/beta.o"} <= distributed.install().steps


@need("distcc", "distccd")
def test_the_capacity_of_distcc_is_the_default_of_jobs(distributed: Workspace) -> None:
    # Five slots: five of the commands, which all hang, run at a time; with -j1 one.
    script = distributed.write(
        "bin/distcc",
        "#!/bin/sh\n"
        f"case $1 in -j) exec {shutil.which('distcc')} -j ;; esac\n"
        f"echo x >> {distributed.path('started')}\nsleep 60\n",
    )
    script.chmod(0o755)
    path = f"{script.parent}:{os.environ['PATH']}"
    tree = Workspace(distributed.directory, {**distributed.environment, "PATH": path})
    for words, wanted in (((), 5), (("-j1",), 1)):
        started = tree.path("started")
        started.write_text("")
        with tree.running("build", *words):
            deadline = time.monotonic() + 30
            while started.read_text().count("x") < wanted:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            time.sleep(0.3)
            assert started.read_text().count("x") == wanted


@need("distcc")
def test_what_no_server_takes_is_compiled_here(tmp_path: Path) -> None:
    tree = make_workspace(
        tmp_path, MODBUILD_LAUNCHER="distcc", DISTCC_HOSTS="127.0.0.4:1/2",  # no one listens
        DISTCC_DIR=str(make_state(tmp_path)),
    )  # fmt: skip
    assert told(tree.install(), "distcc")[0] == 0
    assert tree.digests() == plain_build(tree)


@need("distcc")
def test_distcc_without_hosts_is_told(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    tree = make_workspace(
        tmp_path, MODBUILD_LAUNCHER="distcc", DISTCC_HOSTS="", HOME=str(home),
        DISTCC_DIR=str(make_state(tmp_path)),
    )  # fmt: skip
    ran = tree.run("install")
    assert ran.status == 1
    assert "launcher distcc: it knows no hosts; set DISTCC_HOSTS" in ran.err


def test_a_launcher_that_is_not_there_or_not_known_is_told(workspace: Workspace) -> None:
    ran = workspace.run("install", "--launcher", "fastcc")
    assert ran.status == 3
    known = "expected ccache or sccache or distcc or icecc, got 'fastcc'"
    assert f"--launcher: {known}" in ran.err
    told = Workspace(workspace.directory, {"MODBUILD_LAUNCHER": "fastcc"}).run("install")
    assert (told.status, f"environment MODBUILD_LAUNCHER: {known}" in told.err) == (3, True)
    empty = workspace.path("empty")
    empty.mkdir()
    tree = Workspace(workspace.directory, {"PATH": str(empty)})
    ran = tree.run("install", "--launcher", "ccache")
    assert ran.status == 1
    assert "launcher ccache: not found on PATH; apt install ccache" in ran.err
