"""Run modbuild in a process that tells which way it went, and what it loaded."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from workspace import Workspace

_SHOW = """
import sys
from buildsys.__main__ import answer
status = answer(sys.argv[1:])
print("long way" if "buildsys.cli" in sys.modules else "short way")
print(*sorted(sys.modules), sep="\\n", file=sys.stderr)
sys.exit(status)
"""


def run_showing(
    words: tuple[str, ...], directory: Path, environment: Mapping[str, str]
) -> tuple[int, str, str]:
    """Run modbuild; gives the status, its output with the way that was gone, the loaded modules."""
    ran = subprocess.run(
        (sys.executable, "-c", _SHOW, *words),
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "Traceback" not in ran.stderr, ran.stderr
    return ran.returncode, ran.stdout, ran.stderr


def run(workspace: Workspace, *words: str) -> tuple[int, str, str]:
    """Run modbuild; gives the status, its output with the way that was gone, the loaded modules."""
    return run_showing(words, workspace.directory, workspace.full_environment())


def steps(output: str) -> set[str]:
    lines = (line.split() for line in output.splitlines() if line.startswith("#  "))
    return {f"{words[1]}:{words[2]}" for words in lines}
