"""Runs the whole gate: format, lint, types, tests. Words on the command line go to pytest."""

import subprocess
import sys
from pathlib import Path

_TOP = Path(__file__).resolve().parent.parent
_PYTHON = sys.executable
_GATE = (
    ("format", (_PYTHON, "-m", "ruff", "format", "--check", "--quiet", ".")),
    ("lint", (_PYTHON, "-m", "ruff", "check", "--quiet", ".")),
    ("types", (_PYTHON, "-m", "mypy", "--no-error-summary")),
)


def main(words: list[str]) -> int:
    """Run every part, even after one failed; give 0 only when all passed."""
    failed = []
    for name, command in _GATE:
        if subprocess.run(command, cwd=_TOP).returncode != 0:
            failed.append(name)
    print(f"gate: {', '.join(failed)} failed" if failed else "gate: format, lint, types passed")
    sys.stdout.flush()
    tests = (_PYTHON, "-m", "pytest", "-n", "auto", "--dist", "worksteal", *words)
    return subprocess.run(tests, cwd=_TOP).returncode or (1 if failed else 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
