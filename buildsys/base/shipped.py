"""Where the files that come with the tool lie: beside or inside the package."""

from pathlib import Path

from buildsys.base.errors import BuildsysError

_PACKAGE = Path(__file__).resolve().parent.parent


def shipped_path(name: str) -> Path:
    """Find a shipped file or directory, such as 'toolchain' or 'toolchain/kmodule.ld'."""
    searched = (_PACKAGE / "_shipped" / name, _PACKAGE.parent / name)
    for path in searched:
        if path.exists():
            return path
    places = " and ".join(str(path) for path in searched)
    raise BuildsysError(
        f"{name}: a file of modbuild itself is missing (looked for {places}); "
        "install modbuild again, or use a complete clone"
    )
