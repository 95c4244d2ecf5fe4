"""Where compilers put their temporary files, so that those of killed ones are taken away."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from buildsys.base.errors import BuildsysError
from buildsys.base.files import make_directory, remove_empty_directory, remove_tree
from buildsys.pipeline.objdir import RECORD_DIRECTORY

_SCRATCH = "scratch"


@contextlib.contextmanager
def hold_scratch(objects: Path, environment: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """Have programs put their temporary files (TMPDIR) below a machine's object directory.

    Only who holds that directory may ask for it. LLVM takes a '%' in a temporary name for a
    letter to choose, so where there is one, programs keep to the caller's directory.
    """
    scratch = objects / RECORD_DIRECTORY / _SCRATCH
    if "%" in str(scratch):
        yield environment
        return
    _clear(scratch)  # an orphan of a killed run may still write there
    make_directory(scratch)
    try:
        yield {**environment, "TMPDIR": str(scratch)}
    finally:
        _clear(scratch)


def _clear(scratch: Path) -> None:
    with contextlib.suppress(BuildsysError):
        if not remove_empty_directory(scratch) and scratch.exists():
            remove_tree(scratch)
