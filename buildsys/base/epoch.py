"""The time that reproducible results bear: what the environment says, else the beginning."""

from collections.abc import Mapping

from buildsys.base.errors import UsageError

TIMES = ("SOURCE_DATE_EPOCH", "MKREPRO_TIMESTAMP")
_LAST_SECOND = 0o77777777777  # what ustar can hold


def read_time(environment: Mapping[str, str]) -> int:
    """Choose the time in seconds since 1970: SOURCE_DATE_EPOCH, MKREPRO_TIMESTAMP, else 0."""
    for name in TIMES:
        if text := environment.get(name):
            if not text.isdecimal() or int(text) > _LAST_SECOND:
                raise UsageError(f"{name}: expected seconds since 1970, got {text!r}")
            return int(text)
    return 0
