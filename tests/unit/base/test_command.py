"""Programs that fail, hang, are stopped, write much, or leave others behind."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from buildsys.base.command import CommandRunner, run_command
from buildsys.base.errors import BuildsysError, InterruptedRunError
from buildsys.base.programs import Call, CommandResult, Programs, quote_argv


def shell(text: str) -> tuple[str, ...]:
    return ("/bin/sh", "-c", text)


@pytest.fixture(autouse=True)
def no_zombies() -> Iterator[None]:
    """See that no test leaves a child, dead or alive, or an open file."""
    before = set(os.listdir("/proc/self/fd"))
    yield
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
    assert set(os.listdir("/proc/self/fd")) == before


def test_output_and_error_are_merged_as_they_came() -> None:
    result = run_command(shell("echo one; echo two >&2; echo three; exit 3"))
    assert (result.status, result.output) == (3, b"one\ntwo\nthree\n")
    assert not result.is_success
    assert result.describe_status() == "exit status 3"


def test_output_alone_can_be_asked_for() -> None:
    result = CommandRunner().run(shell("echo one; echo two >&2"), is_output_merged=False)
    assert (result.is_success, result.output) == (True, b"one\n")


def test_a_program_reads_nothing_and_gets_its_directory_and_environment(tmp_path: Path) -> None:
    text = 'cat; pwd; echo "$GIVEN"'
    result = CommandRunner().run(shell(text), tmp_path, {"GIVEN": "yes"})
    assert result.output.decode() == f"{tmp_path}\nyes\n"


def test_much_output_is_kept_whole() -> None:
    code = "import sys; sys.stdout.write('x' * 5_000_000)"
    assert len(run_command((sys.executable, "-c", code)).output) == 5_000_000


@pytest.mark.parametrize(("number", "name"), [(9, "SIGKILL"), (11, "SIGSEGV")])
def test_a_program_that_a_signal_killed_says_which(number: int, name: str) -> None:
    result = run_command(shell(f"ulimit -c 0; kill -{number} $$"))
    assert result.status == -number
    assert result.describe_status() == f"killed by {name}"
    assert CommandResult((), -200, b"", 0.0).describe_status() == "exit status -200"


def test_a_program_that_cannot_start_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildsysError, match=r"^/no/such: cannot be started: No such file"):
        run_command(("/no/such",))
    with pytest.raises(BuildsysError, match=rf"cannot be started \(in {tmp_path}/none\): No such"):
        run_command(shell("true"), tmp_path / "none")
    plain = tmp_path / "plain"
    plain.write_text("text")
    with pytest.raises(BuildsysError, match="plain: cannot be started: Permission denied"):
        run_command((str(plain),))
    plain.chmod(0o755)
    with pytest.raises(BuildsysError, match="plain: cannot be started: Exec format error"):
        run_command((str(plain),))


def test_programs_end_where_the_system_does_not_tell_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_number: int) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(os, "pidfd_open", refuse, raising=False)
    programs = Programs()
    texts = ("echo one", "sleep 0.2; exit 3", "exec >/dev/null 2>&1; sleep 0.1; exit 4")
    keys = {programs.start(Call(shell(text))): text for text in texts}
    found: dict[str, object] = {}
    while len(found) < len(texts):
        for one in programs.wait(5):
            assert isinstance(one.result, CommandResult)
            found[keys[one.key]] = one.result.status
    programs.close()
    assert tuple(found[text] for text in texts) == (0, 3, 4)
    with pytest.raises(BuildsysError, match="still running"):
        run_command(shell("sleep 9"), timeout_seconds=0.3)


def test_a_time_out_ends_the_whole_group(tmp_path: Path) -> None:
    mark = tmp_path / "alive"
    text = f"(while :; do touch {mark}; sleep 0.05; done) & while :; do sleep 1; done"
    begin = time.monotonic()
    with pytest.raises(BuildsysError, match=r"still running after 0\.3 s, ended$"):
        CommandRunner().run(shell(text), timeout_seconds=0.3)
    assert time.monotonic() - begin < 3
    mark.unlink()
    time.sleep(0.2)
    assert not mark.exists()


def test_output_that_a_server_keeps_open_is_not_waited_for() -> None:
    begin = time.monotonic()
    result = run_command(shell("echo early; setsid sleep 8 & exit 4"))
    assert (result.status, result.output) == (4, b"early\n")
    assert time.monotonic() - begin < 4


def test_a_time_out_does_not_wait_for_one_who_left_the_group() -> None:
    begin = time.monotonic()
    with pytest.raises(BuildsysError, match="still running"):
        run_command(shell("setsid sleep 8 & sleep 9"), timeout_seconds=0.3)
    assert time.monotonic() - begin < 4


def test_stopping_ends_all_that_run_and_refuses_more() -> None:
    runner = CommandRunner()
    ended: list[BaseException] = []

    def run() -> None:
        try:
            runner.run(shell("trap '' TERM INT; sleep 30 & wait"))
        except InterruptedRunError as error:
            ended.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    begin = time.monotonic()
    runner.stop()
    for thread in threads:
        thread.join(timeout=5)
    assert time.monotonic() - begin < 3
    assert len(ended) == 3
    with pytest.raises(InterruptedRunError):
        runner.run(shell("true"))


def test_an_interrupt_of_the_caller_ends_the_program(tmp_path: Path) -> None:
    mark = tmp_path / "alive"
    timer = threading.Timer(0.3, signal.raise_signal, (signal.SIGINT,))

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            run_command(shell(f"while :; do touch {mark}; sleep 0.05; done"))
    finally:
        signal.signal(signal.SIGINT, before)
        timer.join()
    mark.unlink(missing_ok=True)
    time.sleep(0.2)
    assert not mark.exists()


def test_a_command_is_spelled_for_a_shell() -> None:
    assert quote_argv(("cc", "-DA=b c", "it's")) == "cc '-DA=b c' 'it'\"'\"'s'"


@pytest.mark.parametrize("seconds", [0.0, 0.5])
def test_what_a_program_wrote_just_before_it_ended_is_read(
    seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look whether it ended may come between its last word and our reading of it."""
    monkeypatch.setattr("buildsys.base.programs._POLL_SECONDS", seconds)
    assert CommandRunner().run(("sh", "-c", "echo last")).output == b"last\n"
    # One that it started holds the output open; that is not waited for.
    held = CommandRunner().run(("sh", "-c", "sleep 2 & echo last"))
    assert held.output == b"last\n"


def test_programs_that_end_together_are_all_given() -> None:
    programs = Programs()
    texts = {programs.start(Call(shell(f"sleep 0.2; echo {n}; exit {n}"))): n for n in range(5)}
    found = {}
    while texts.keys() - found.keys():
        found.update({ended.key: ended.result for ended in programs.wait()})
    programs.close()
    for key, number in texts.items():
        result = found[key]
        assert isinstance(result, CommandResult)
        assert (result.status, result.output) == (number, f"{number}\n".encode())


def test_a_program_that_closes_its_output_and_goes_on_is_waited_for() -> None:
    result = run_command(shell("echo said; exec >&- 2>&-; sleep 0.3; exit 7"))
    assert (result.status, result.output) == (7, b"said\n")
    with pytest.raises(BuildsysError, match="still running after"):
        run_command(shell("exec >&- 2>&-; sleep 9"), timeout_seconds=0.2)
