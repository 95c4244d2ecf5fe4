"""Signals that wait for a good moment."""

import signal
import subprocess
import threading
from collections.abc import Iterator

import pytest

from buildsys.base.interrupts import exposed, raise_on_signals, shielded
from buildsys.base.programs import Call, Programs


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [(number, signal.getsignal(number)) for number in numbers]
    raise_on_signals()
    yield
    for number, handler in before:
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_interrupts_at_once_where_nothing_puts_it_off(number: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


def test_a_signal_waits_for_the_end_of_the_work() -> None:
    reached = []

    def work() -> None:
        with shielded():
            signal.raise_signal(signal.SIGTERM)
            with shielded():
                reached.append(1)
            reached.append(2)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert reached == [1, 2]
    with shielded():
        pass  # it is not remembered


def test_a_second_signal_does_not_wait() -> None:
    def work() -> None:
        with shielded():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            pytest.fail("it waited")

    with pytest.raises(KeyboardInterrupt):
        work()


def test_a_signal_comes_through_where_work_only_waits() -> None:
    with shielded():
        with pytest.raises(KeyboardInterrupt), exposed():
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt), exposed():
            pytest.fail("one that came before was lost")


def test_an_ignored_signal_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    raise_on_signals()
    signal.raise_signal(signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_a_program_that_a_signal_meets_at_its_start_is_ended(
    interrupted_starts: "list[subprocess.Popen[bytes]]",
) -> None:
    running = Programs()
    with pytest.raises(KeyboardInterrupt):
        running.start(Call(("sleep", "60")))
    running.close()
    assert [program.returncode for program in interrupted_starts] == [-signal.SIGKILL]


def test_what_another_thread_does_puts_nothing_off() -> None:
    inside, done = threading.Event(), threading.Event()

    def work() -> None:
        with shielded():
            inside.set()
            done.wait(10)

    thread = threading.Thread(target=work)
    thread.start()
    inside.wait(10)
    try:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    finally:
        done.set()
        thread.join()
