"""How a run ends: every trouble that a user can cause is one message and a status."""

import errno
import os
import sys
from collections.abc import Callable

from buildsys.base.errors import BuildsysError, ExitStatus
from buildsys.base.interrupts import raise_on_signals

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})  # a full disk's errors


def end_well(act: Callable[[], ExitStatus]) -> ExitStatus:
    """Do something; anything but a bug of ours becomes a message on standard error."""
    try:
        raise_on_signals()
        status = act()
        sys.stdout.flush()
        return status
    except BuildsysError as error:
        print(f"modbuild: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("modbuild: interrupted", file=sys.stderr)
    except MemoryError:
        print("modbuild: out of memory", file=sys.stderr)
    except BrokenPipeError:
        pass  # who reads our output has gone (| head): nothing to tell it any more
    except OSError as error:
        if error.filename is None and error.errno not in _FULL:
            raise
        where = "standard output" if error.filename is None else os.fsdecode(error.filename)
        print(f"modbuild: {where}: {error.strerror}", file=sys.stderr)
    finally:
        _end_output()
    return ExitStatus.FAILED


def _end_output() -> None:
    """Keep what could not be written from being tried, and complained of, again at the exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
