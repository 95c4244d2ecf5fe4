"""When a signal that asks the process to end may cut work short: Ctrl-C, SIGTERM, SIGHUP."""

import signal
from _thread import get_ident
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from buildsys.base.value import mutable

_MAIN = get_ident()
_NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@mutable
class _State:
    is_shielded: bool = False
    is_asked: bool = False  # a signal came while shielded


_state = _State()


def raise_on_signals() -> None:
    """Let the signals that ask a process to end raise KeyboardInterrupt."""
    for number in _NUMBERS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup(1) ignores SIGHUP
            signal.signal(number, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    if _state.is_shielded and not _state.is_asked:
        _state.is_asked = True  # a second one does not wait any more
        return
    raise KeyboardInterrupt


@contextmanager
def shielded() -> Iterator[None]:
    """Put a first signal off until the end of the block; where one is open already, until its.

    Signals come to the main thread: in others there is nothing to put off.
    """
    if _state.is_shielded or get_ident() != _MAIN:
        yield
        return
    _state.is_shielded = True
    try:
        yield
    finally:
        _state.is_shielded = False
        is_asked, _state.is_asked = _state.is_asked, False
    if is_asked:
        raise KeyboardInterrupt


@contextmanager
def exposed() -> Iterator[None]:
    """Let signals through in a block within one that puts them off, those too that came before."""
    if not _state.is_shielded:
        yield
        return
    _state.is_shielded = False
    try:
        if _state.is_asked:
            _state.is_asked = False
            raise KeyboardInterrupt
        yield
    finally:
        _state.is_shielded = True
