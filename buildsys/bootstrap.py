"""Makes the virtual environment of a clone; runs before there is one, so on Python alone.

Called by the launcher as: python3 bootstrap.py CLONE EXTRA, EXTRA being run or test.
"""

import fcntl
import subprocess
import sys
import venv
from pathlib import Path

_OLDEST = (3, 11)


def main(top: Path, extra: str) -> int:
    """Make or complete CLONE/.venv, one process at a time; give the exit status."""
    if sys.version_info < _OLDEST:
        found = ".".join(map(str, sys.version_info[:3]))
        return _fail(f"Python {found} is too old; expected 3.11 or newer (set PYTHON to one)")
    environment = top / ".venv"
    try:
        environment.mkdir(exist_ok=True)
        with open(environment / "modbuild.lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return _complete(top, environment, extra)
    except OSError as error:
        return _fail(f"{environment}: cannot be made: {error.strerror or error}")


def _complete(top: Path, environment: Path, extra: str) -> int:
    stamp = environment / f"modbuild-{extra}.stamp"
    newest = (top / "pyproject.toml").stat().st_mtime_ns
    if stamp.exists() and stamp.stat().st_mtime_ns > newest:
        return 0  # another process was faster
    print(f"modbuild: setting up {environment} (once; takes a minute)", file=sys.stderr)
    python = environment / "bin" / "python"
    if not python.exists():
        try:
            venv.create(environment, with_pip=True)
        except (subprocess.CalledProcessError, ImportError):
            return _fail("Python cannot make a virtual environment; apt install python3-venv")
    package = f"{top}[test]" if extra == "test" else str(top)
    command = (str(python), "-m", "pip", "install", "--quiet", "--editable", package)
    if subprocess.run(command, check=False).returncode != 0:
        return _fail("pip could not install what modbuild needs (see above); mend that, run again")
    stamp.touch()
    return 0


def _fail(message: str) -> int:
    print(f"modbuild: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
