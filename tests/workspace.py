"""A small tree of modules in a directory of its own, and modbuild run there as a person would."""

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

CLONE = Path(__file__).resolve().parent.parent
STAND = "destdir/stand/amd64/10.99.12/modules"

_FRAME = """
static int
{name}_modcmd(modcmd_t cmd, void *arg)
{{
	(void)arg;
	return cmd == MODULE_CMD_INIT || cmd == MODULE_CMD_FINI ? 0 : ENOTTY;
}}
"""
_HEAD = "#include <sys/param.h>\n#include <sys/module.h>\n#include <sys/systm.h>\n"

# alpha offers a function that beta uses; gamma stands alone, with two sources and two headers
# found through a search path on which 'first' comes before 'second'.
FILES = {
    "modules/alpha/alpha.yaml": (
        "class: misc\nsources: [alpha.c]\ninclude: [.]\nproperties:\n  level: 1\n"
    ),
    "modules/alpha/alpha.h": "int alpha_count(void);\n#define ALPHA_STEP 1\n",
    "modules/alpha/alpha.c": _HEAD
    + '#include "alpha.h"\nMODULE(MODULE_CLASS_MISC, alpha, NULL);\n'
    + _FRAME.format(name="alpha")
    + "static int count;\nint\nalpha_count(void)\n{\n\treturn count += ALPHA_STEP;\n}\n",
    "modules/beta/beta.yaml": (
        "class: misc\nsources: [beta.c]\nrequires: [alpha]\ninclude: [../alpha]\n"
    ),
    "modules/beta/beta.c": _HEAD
    + '#include "alpha.h"\nMODULE(MODULE_CLASS_MISC, beta, "alpha");\n'
    + 'static void\nsay(void)\n{\n\tprintf("%d\\n", alpha_count() + ALPHA_STEP);\n}\n'
    + _FRAME.format(name="beta").replace("(void)arg;", "(void)arg;\n\tsay();"),
    "modules/gamma/gamma.yaml": (
        "class: misc\nsources: [gamma.c, tables.c]\n"
        "include: [../first, ../second]\ndefines: [SHIFT=1]\n"
    ),
    "modules/gamma/gamma.c": _HEAD
    + "#include <shape.h>\nint gamma_table(int);\nMODULE(MODULE_CLASS_MISC, gamma, NULL);\n"
    + _FRAME.format(name="gamma").replace("? 0", "? gamma_table(SHAPE) & 0"),
    "modules/gamma/tables.c": (
        "#include <limits.h>\nint gamma_table(int);\nint\ngamma_table(int i)\n{\n"
        "\treturn (i << SHIFT) + LIMIT;\n}\n"
    ),
    "modules/first/limits.h": "#define LIMIT 7\n",
    "modules/second/shape.h": "#define SHAPE 3\n",
}


@dataclass(frozen=True, slots=True)
class Ran:
    """How a run of modbuild ended, and what it said."""

    status: int
    out: str
    err: str

    @property
    def steps(self) -> frozenset[str]:
        """Name the steps that started: compile:alpha/alpha.o."""
        lines = (line.split() for line in self.out.splitlines() if line.startswith("#  "))
        return frozenset(f"{words[1]}:{words[2]}" for words in lines)

    @property
    def is_nothing_to_do(self) -> bool:
        return self.status == 0 and "Nothing to do" in self.out and not self.steps


@dataclass(frozen=True, slots=True)
class Workspace:
    """A directory with modules/, where modbuild is run; package is the clone whose code runs."""

    directory: Path
    environment: dict[str, str] = field(default_factory=dict)
    package: Path = CLONE

    def path(self, name: str) -> Path:
        return self.directory / name

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def edit(self, name: str, old: str, new: str) -> None:
        text = self.path(name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    def full_environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("HOME", "PATH", "TMPDIR") if name in os.environ}
        own = {"PYTHONPATH": str(self.package), "MODBUILD_CACHE": f"{self.directory}.cache"}
        return {**kept, **own, **self.environment}

    def command(self, *words: str) -> tuple[str, ...]:
        return (sys.executable, "-m", "buildsys", *words)

    @contextlib.contextmanager
    def running(self, *words: str) -> Iterator["subprocess.Popen[str]"]:
        """Start modbuild in a process group of its own, output in one pipe; end it at the end."""
        child = subprocess.Popen(
            self.command(*words),
            cwd=self.directory,
            env=self.full_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )
        try:
            yield child
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
            if child.stdout is not None:
                child.stdout.close()

    def run(self, *words: str) -> Ran:
        ran = subprocess.run(
            self.command(*words),
            cwd=self.directory,
            env=self.full_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            errors="surrogateescape",
        )
        assert "Traceback" not in ran.stderr, ran.stderr
        assert "Warning" not in ran.stderr, ran.stderr
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    def install(self, *words: str) -> Ran:
        """Run install, which must succeed."""
        ran = self.run("install", *words)
        assert ran.status == 0, ran.out + ran.err
        return ran

    def digests(self, *names: str) -> dict[str, str]:
        """Digest every file below directories (destdir for none), by name.

        METALOG is a log: what comes later is appended, so its lines are compared in no order.
        """
        return {
            str(path.relative_to(self.directory)): hashlib.sha256(
                b"".join(sorted(path.read_bytes().splitlines(keepends=True)))
                if path.name == "METALOG"
                else path.read_bytes()
            ).hexdigest()
            for name in names or ("destdir",)
            for path in sorted(self.path(name).rglob("*"))
            if path.is_file()
        }

    def build_anew(self, *words: str) -> dict[str, str]:
        """Build and install in other directories; give the digests under the usual names."""
        anew = ("-O", "clean-obj", "-D", "clean-destdir")
        for name in anew[1::2]:
            shutil.rmtree(self.path(name), ignore_errors=True)
        self.install(*anew, *words)
        return {
            name.removeprefix("clean-"): digest
            for name, digest in self.digests("clean-destdir").items()
        }

    def restore(self) -> None:
        """Give every source its first content, and take away what else was written."""
        for path in sorted(self.directory.rglob("*"), reverse=True):
            name = path.relative_to(self.directory).as_posix()
            if name.partition("/")[0] in ("obj", "destdir"):
                continue
            if name in FILES and not path.is_dir():
                continue
            if path.is_dir() and not path.is_symlink():
                if not any(path.iterdir()):
                    path.rmdir()
            else:
                path.unlink()
        for name, text in FILES.items():
            path = self.path(name)
            if path.is_dir():
                shutil.rmtree(path)
            if not path.is_file() or path.read_bytes() != text.encode():
                self.write(name, text)

    def temporaries(self) -> list[str]:
        """Name the files that a run should not have left."""
        return [str(path) for path in self.directory.rglob(".modbuild.*")]


def make_workspace(directory: Path, **environment: str) -> Workspace:
    """Write the small tree below a directory."""
    workspace = Workspace(directory, environment)
    for name, text in FILES.items():
        workspace.write(name, text)
    return workspace


def make_unfit(workspace: Workspace) -> None:
    """Have gamma use a function that no kernel offers."""
    used = "gamma_table(int), frobnicate(int);"
    workspace.edit("modules/gamma/gamma.c", "gamma_table(int);", used)
    workspace.edit("modules/gamma/gamma.c", "SHAPE", "frobnicate(1) + SHAPE")
