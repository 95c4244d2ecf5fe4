"""A small source tree, a TOOLDIR laid out as build.sh makes it, and both builds of the tree."""

import os
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from buildsys.base.shipped import shipped_path
from buildsys.toolchain.discover import load_toolchain
from buildsys.toolchain.machine import load_machine

CLONE = Path(__file__).resolve().parents[3]
FIXTURE = CLONE / "tests/srctree_fixture"
PLATFORMS = {"x86_64--netbsd": "amd64", "armv7--netbsdelf-eabihf": "evbarm-earmv7hf"}
_WRAPPER = '#!/bin/sh\nexec {words} "$@"\n'


def find_program(name: str) -> str:
    """Find a program of this machine, or skip the test that needs it."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed here")
    return found


@dataclass(frozen=True, slots=True)
class Ran:
    """How a run of modbuild ended, and what it said."""

    status: int
    text: str


@dataclass(frozen=True, slots=True)
class TreeWorkspace:
    """A source tree, a TOOLDIR and a directory in which modbuild and make are run."""

    directory: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def source(self) -> Path:
        return self.directory / "src"

    @property
    def tooldir(self) -> Path:
        return self.directory / "tools"

    @property
    def work(self) -> Path:
        return self.directory / "work"

    @property
    def makes(self) -> Path:
        """Give the file that gets a line for every make that starts."""
        return self.directory / "makes"

    def objects(self, name: str) -> Path:
        return self.work / "obj/amd64-x86_64" / name

    def write(self, name: str, text: str) -> None:
        """Write a file of the source tree, which nothing else may."""
        path = self.source / name
        set_writable(self.source, True)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        set_writable(self.source, False)

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.source / name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("HOME", "PATH", "TMPDIR") if name in os.environ}
        return {**kept, "PYTHONPATH": str(CLONE), "MAKECONF": "/dev/null", **self.variables}

    def run(
        self, verb: str, *words: str, python: tuple[str, ...] = (), before: tuple[str, ...] = ()
    ) -> Ran:
        """Run modbuild; python are options of the interpreter, before is a program that runs it."""
        settings = ("--src", str(self.source))
        if "--toolchain" not in words:
            settings += ("--tooldir", str(self.tooldir))
        ran = subprocess.run(
            (*before, sys.executable, *python, "-m", "buildsys", verb, *settings, *words),
            cwd=self.work,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        assert "Traceback" not in ran.stdout, ran.stdout
        return Ran(ran.returncode, ran.stdout)

    def build(self, *words: str) -> Ran:
        """Build, which must succeed."""
        ran = self.run("build", *words)
        assert ran.status == 0, ran.text
        return ran

    def build_stock(self, objects: Path, *arguments: str, machine: str = "amd64") -> None:
        """Build everything by make itself into objects, as 'make dependall' does."""
        objects.mkdir(parents=True)
        environment = {**self.environment(), "MAKEOBJDIRPREFIX": str(objects)}
        for target in ("obj", "dependall"):
            ran = subprocess.run(
                (str(self.tooldir / f"bin/nbmake-{machine}"), target, *arguments),
                cwd=self.source / "sys/modules",
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            assert ran.returncode == 0, ran.stdout

    def build_stock_at(self, name: str, objects: Path) -> None:
        """Build one directory of sys/modules by make itself, with just this object directory."""
        objects.mkdir(parents=True)
        ran = subprocess.run(
            (str(self.tooldir / "bin/nbmake-amd64"), "dependall"),
            cwd=self.source / "sys/modules" / name,
            env={**self.environment(), "MAKEOBJDIR": str(objects)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr

    def list_source(self) -> dict[str, int]:
        """Give every file of the source tree with its time of change."""
        paths = (self.source, *self.source.rglob("*"))
        return {str(path): path.lstat().st_mtime_ns for path in paths}

    def count_makes(self) -> int:
        """Count the makes that started since the last call."""
        lines = self.makes.read_text().splitlines() if self.makes.exists() else []
        self.makes.unlink(missing_ok=True)
        return len(lines)


def set_writable(directory: Path, is_writable: bool) -> None:
    """Give or take the right to write below a directory."""
    bits = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
    for path in (directory, *directory.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | stat.S_IWUSR if is_writable else mode & ~bits)


def write_program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def make_tooldir(directory: Path, source: Path, makes: Path) -> None:
    """Lay out a TOOLDIR: Zig's clang and this machine's binutils under build.sh's names."""
    programs = directory / "bin"
    programs.mkdir(parents=True)
    linker = find_program("ld")
    for platform, label in PLATFORMS.items():
        machine = load_machine(label, None)
        compiler = load_toolchain("zig", machine, None, os.environ).cc.argv
        words = " ".join((*compiler, "--ld-path=" + linker, "-Wno-unused-command-line-argument"))
        write_program(programs / f"{platform}-clang", _WRAPPER.format(words=words))
        for name in ("nm", "objcopy", "objdump"):
            (programs / f"{platform}-{name}").symlink_to(find_program(name))
        own = load_toolchain("zig", machine, None, os.environ).ld
        assert own is not None
        words = linker if machine.name == "amd64" else " ".join(own.argv)
        write_program(programs / f"{platform}-ld", _WRAPPER.format(words=words))
    for name in ("nbconfig", "nbyacc", "nblex", "nbctfconvert", "nbctfmerge"):
        shutil.copy(FIXTURE / "tools" / name, programs / name)
    (programs / "nbawk").symlink_to(find_program("awk"))
    make = find_program("bmake")
    for name, arch in (("amd64", "x86_64"), ("evbarm", "earmv7hf")):
        text = (
            f"#!/bin/sh\nunset MAKEFLAGS\necho make >> {makes}\n"
            f"MACHINE={name} MACHINE_ARCH={arch} TOOLDIR={directory} NETBSDSRCDIR={source}\n"
            "export MACHINE MACHINE_ARCH TOOLDIR NETBSDSRCDIR\n"
            f'exec {make} -m {source}/share/mk "$@"\n'
        )
        write_program(programs / f"nbmake-{name}", text)


def make_workspace(directory: Path, variables: dict[str, str]) -> TreeWorkspace:
    workspace = TreeWorkspace(directory, variables)
    shutil.copytree(FIXTURE, workspace.source)
    shutil.copytree(
        shipped_path("toolchain/kernel/include"), workspace.source / "sys", dirs_exist_ok=True
    )
    make_tooldir(workspace.tooldir, workspace.source, workspace.makes)
    workspace.work.mkdir()
    set_writable(workspace.source, False)
    return workspace
