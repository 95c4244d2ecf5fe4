"""What launchers are told and what they say; tests that run them are elsewhere."""

import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from buildsys.toolchain.launcher import (
    Launcher,
    Tally,
    count_subcommands,
    find_capacity,
    launch_environment,
    needs_wrapper,
    read_slots,
    read_tally,
    render_wrapper,
)

ZIG = ("/opt/zig", "clang", "--no-default-config", "-target", "x86_64--netbsd")
PLAIN = ("/usr/bin/clang", "-target", "x86_64--netbsd")
LISTED = (
    "200-ICECC 1.4.0: 13s uptime, 2 hosts, 0 jobs in queue (0 total).\n"
    " me1 (192.0.2.1:10245) [x86_64] speed=0.00 jobs=0/3 load=660\n"
    " me2 (192.0.2.2:10245) [x86_64] speed=0.00 jobs=1/12 load=66\n"
    "200 done\n"
)


def launcher(name: str) -> Launcher:
    return Launcher(name, Path("/usr/bin") / name)


def test_words_before_the_first_option_belong_to_the_compiler() -> None:
    assert count_subcommands(ZIG) == 1
    assert count_subcommands(PLAIN) == 0
    assert count_subcommands(("/usr/bin/cc",)) == 0


def test_caches_get_a_script_where_a_compiler_is_two_words() -> None:
    assert needs_wrapper(launcher("ccache"), ZIG)
    assert not needs_wrapper(launcher("ccache"), PLAIN)
    assert needs_wrapper(launcher("sccache"), PLAIN)  # whose bytes stand for the compiler
    assert not needs_wrapper(launcher("distcc"), ZIG)


def test_a_script_calls_the_compiler_whatever_its_name(tmp_path: Path) -> None:
    program = tmp_path / "it's one"
    program.write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    program.chmod(0o755)
    script = tmp_path / "clang"
    script.write_bytes(render_wrapper((str(program), "clang", "-O1"), b"\x12\xab"))
    script.chmod(0o755)
    ran = subprocess.run((script, "-c", "a b"), capture_output=True, text=True)
    assert ran.stdout == "clang|-c|a b|"
    assert "# 12ab\n" in script.read_text()


def test_ccache_is_told_the_compiler_and_to_be_strict() -> None:
    environment = launch_environment(launcher("ccache"), b"\x12\xab", Path("/log"))
    assert environment["CCACHE_COMPILERCHECK"] == "string:12ab"
    assert environment["CCACHE_SLOPPINESS"] == environment["CCACHE_BASEDIR"] == ""
    assert environment["CCACHE_NODIRECT"] == "1"


def test_icecc_counts_what_other_machines_did() -> None:
    log = (
        "ICECC[1] 2026-11-23 06:13:44: building myself, but telling localhost\n"
        "ICECC[2] 2026-11-23 06:13:45: Have to use host 192.0.2.2:10245 - Job ID: 7\n"
    )
    assert read_tally(launcher("icecc"), log, "", "") == Tally("icecc", 2, 1)


def test_sccache_counts_what_came_since() -> None:
    before = '{"stats":{"compile_requests":2,"cache_hits":{"counts":{"C/C++":1}}}}'
    after = '{"stats":{"compile_requests":9,"cache_hits":{"counts":{"C/C++":3,"Rust":1}}}}'
    tally = read_tally(launcher("sccache"), "", before, after)
    assert tally == Tally("sccache", 7, 3)
    assert tally.describe() == "sccache: 3 of 7 compilations hits"


@pytest.fixture
def scheduler() -> Iterator[int]:
    """Run a server that answers one question as icecc's scheduler does; give its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                assert connection.recv(100) == b"listcs\nquit\n"
                connection.sendall(LISTED.encode())

        thread = threading.Thread(target=answer)
        thread.start()
        yield int(server.getsockname()[1])
        thread.join(timeout=10)


def test_the_capacity_of_icecc_is_the_sum_of_what_its_scheduler_lists(scheduler: int) -> None:
    environment = {"USE_SCHEDULER": f"127.0.0.1:{scheduler - 1}"}
    assert find_capacity(launcher("icecc"), environment) == 15


def test_without_a_scheduler_the_capacity_is_this_machines() -> None:
    assert read_slots("") is None
    assert find_capacity(launcher("icecc"), {"USE_SCHEDULER": "127.0.0.9:1"}) is None
    assert find_capacity(launcher("ccache"), {}) is None
