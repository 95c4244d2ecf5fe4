"""The shape of the package: which part may import which, one door each, what start-up loads."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "buildsys"

# Every part with the parts that it may import; itself is understood, '' is the package's own.
MAY_IMPORT = {
    "__main__": {"snapshot"},
    "launch": set(),
    "bootstrap": set(),
    "version": set(),
    "snapshot": set(),
    "snapshotfile": {"snapshot"},
    "base": set(),
    "plist": {"base"},
    "metalog": {"base"},
    "module": {"base", "plist"},
    "template": {"base", "module"},
    "elf": {"base"},
    "toolchain": {"base"},
    "kernel": {"base", "elf"},
    "kconfig": {"base"},
    "check": {"base", "elf", "kconfig", "kernel", "plist"},
    "report": {"base", "check", "elf", "kernel", "version"},
    "install": {"base", "check", "metalog"},
    "sets": {"base", "metalog"},
    "provenance": {"base"},
    "config": {"base", "snapshot"},
    "srctree": {"base", "module", "toolchain"},
    "pipeline": {
        "base", "check", "config", "elf", "install", "kernel", "metalog", "module", "plist",
        "provenance", "sets",
        "report", "snapshot", "snapshotfile", "srctree", "toolchain", "version",
    },
    "options": set(),
    "ending": {"base"},
    "cli": {"base", "config", "ending", "options", "version"},
    "verbs": {
        "base", "check", "cli", "config", "elf", "ending", "install", "kconfig", "kernel",
        "metalog", "module", "pipeline", "provenance", "report", "sets", "snapshot", "snapshotfile",
        "srctree", "template", "toolchain", "version",
    },
}  # fmt: skip

# Outside libraries, and others that are slow to load or must be met in one place.
DOORS = {
    "doit": {"pipeline/doitparts.py"},
    "elftools": {"elf/reader.py"},
    "yaml": {"base/yamlfile.py"},
    "jinja2": {"template.py", "report/page.py"},
    "rich": {"pipeline/bar.py"},
    "sqlite3": {"pipeline/storefile.py"},
    "subprocess": {"base/programs.py", "bootstrap.py"},
    "multiprocessing": set(),
    "socket": {"base/telnet.py"},
    "urllib": set(),
}
WRITERS = {
    "base/below.py", "base/exchange.py", "base/files.py", "base/granularity.py", "base/locks.py",
    "base/staging.py", "base/treecopy.py", "bootstrap.py",
}  # fmt: skip
IMPORTERS = {
    "__main__.py",
    "cli.py",
    "base/files.py",  # what removes trees
    "pipeline/doitparts.py",  # doit's parts without its command line
    "pipeline/again.py",  # doit, while the first program runs; what only failures need
    "pipeline/frame.py",  # the bar of a terminal
    "pipeline/simple.py",  # what a source says
    "pipeline/settings.py",  # behind the file that is there
    "pipeline/steps.py",  # behind the first step of a kind
    "pipeline/vetting.py",  # behind a signature that is required
    "report/writing.py",
    "verbs/again.py",  # what is needed when programs run already
    "verbs/retelling.py",  # what only failures need
    "verbs/listing.py",
    "verbs/schema.py",
}  # behind the verb that is chosen

_WRITING_NAMES = {
    "chmod", "chown", "copy", "copy2", "copyfile", "copytree", "fchmod", "fchown", "ftruncate",
    "hardlink_to", "lchown", "link", "link_to", "makedirs", "mkdir", "mkfifo", "mknod", "mkstemp",
    "move", "pwrite", "remove", "removedirs", "rename", "renames", "rmdir", "rmtree", "symlink",
    "symlink_to", "touch", "truncate", "unlink", "utime", "write_bytes", "write_text",
}  # fmt: skip
_OWNERS = {"os", "shutil", "tempfile"}
_PATH_ONLY = {"touch", "write_bytes", "write_text", "symlink_to", "hardlink_to"}


@dataclass(frozen=True, slots=True)
class Source:
    """One file of the package: its name below it, its part and its syntax tree."""

    name: str
    tree: ast.Module

    @property
    def part(self) -> str:
        return self.name.partition("/")[0].removesuffix(".py")


@cache
def sources() -> tuple[Source, ...]:
    return tuple(
        Source(path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_bytes()))
        for path in sorted(PACKAGE.rglob("*.py"))
        if "_shipped" not in path.parts
    )


def imported_names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=module, level=level, names=names):
                assert level == 0, "relative imports hide where an arrow points"
                yield from (f"{module}.{alias.name}" for alias in names)


def test_every_arrow_between_the_parts_is_allowed() -> None:
    wrong = []
    for source in sources():
        for name in imported_names(source.tree):
            top, _, rest = name.partition(".")
            part = rest.partition(".")[0]
            allowed = MAY_IMPORT[source.part] | {source.part}
            if top == "buildsys" and part not in allowed:
                wrong.append(f"{source.name} imports {name}")
    assert wrong == []


def test_the_table_of_arrows_names_every_part_and_has_no_circle() -> None:
    parts = {source.part for source in sources()} - {"__init__"}
    assert parts <= set(MAY_IMPORT)
    order: list[str] = []
    while len(order) < len(MAY_IMPORT):
        ready = sorted(
            part for part, below in MAY_IMPORT.items() if part not in order and below <= set(order)
        )
        assert ready, f"a circle among {set(MAY_IMPORT) - set(order)}"
        order += ready


def test_each_outside_library_has_one_door() -> None:
    found = {
        (name.partition(".")[0], source.name)
        for source in sources()
        for name in imported_names(source.tree)
    }
    wrong = [(name, file) for name, file in found if name in DOORS and file not in DOORS[name]]
    assert wrong == []


def test_no_other_outside_library_is_used() -> None:
    used = {name.partition(".")[0] for source in sources() for name in imported_names(source.tree)}
    assert used - set(sys.stdlib_module_names) - {"buildsys"} <= set(DOORS)


def writing_calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=name)) if (
                owner in _OWNERS and name in _WRITING_NAMES
            ):
                yield node
            case ast.Call(func=ast.Attribute(attr=name)) if name in _PATH_ONLY:
                yield node
            case ast.Call(func=ast.Name(id="open"), args=[_, ast.Constant(value=mode), *_]) if set(
                str(mode)
            ) & set("wax+"):
                yield node
            case ast.Call(func=ast.Attribute(value=ast.Name(id="os"), attr="open")) if (
                "O_CREAT" in ast.dump(node) or "O_WRONLY" in ast.dump(node)
            ) and "devnull" not in ast.dump(node):
                yield node


def test_only_the_door_writes_to_disk() -> None:
    wrong = [
        f"{source.name}:{call.lineno}"
        for source in sources()
        if source.name not in WRITERS
        for call in writing_calls(source.tree)
    ]
    assert wrong == []


def test_the_search_for_writing_calls_finds_them() -> None:
    for text in (
        "os.unlink(x)",
        "shutil.rmtree(x)",
        "path.write_text('')",
        "open(x, 'wb')",
        "os.open(x, os.O_RDWR | os.O_CREAT)",
    ):
        assert list(writing_calls(ast.parse(text))), text
    assert not list(writing_calls(ast.parse("open(x, 'rb'); text.replace(a, b); os.open(x, 0)")))


def test_nothing_is_imported_inside_functions_or_for_type_checkers_only() -> None:
    wrong = []
    for source in sources():
        for node in ast.walk(source.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.If):
                wrong += [
                    f"{source.name}:{inner.lineno}"
                    for inner in ast.walk(node)
                    if isinstance(inner, ast.Import | ast.ImportFrom)
                ]
        if "TYPE_CHECKING" in ast.dump(source.tree):
            wrong.append(f"{source.name}: TYPE_CHECKING")
        if "import_module" in ast.dump(source.tree) and source.name not in IMPORTERS:
            wrong.append(f"{source.name}: import_module")
    assert wrong == []


def test_every_file_opens_with_its_duty_and_stays_readable() -> None:
    for source in sources():
        text = (PACKAGE / source.name).read_text()
        if source.name.endswith("__init__.py"):
            assert text == "", source.name
        else:
            assert ast.get_docstring(source.tree), source.name
            assert text.count("\n") < 430, source.name


_SHOW_MODULES = """
import sys
before = set(sys.modules)
from buildsys.__main__ import main
sys.argv = ["modbuild", *sys.argv[1:]]
try:
    status = main()
except SystemExit as error:
    status = error.code
print("\\n".join(sorted(set(sys.modules) - before)), file=sys.stderr)
sys.exit(status)
"""
HEAVY = ("doit", "elftools", "yaml", "jinja2", "rich", "sqlite3", "subprocess", "json", "hashlib")


def loaded_by(directory: Path, *words: str) -> set[str]:
    """Name the modules that a command line loads beyond Python's own start."""
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    command = (sys.executable, "-c", _SHOW_MODULES, *words)
    ran = subprocess.run(command, cwd=directory, capture_output=True, text=True, env=environment)
    assert ran.returncode == 0, ran.stderr
    return set(ran.stderr.split())


def test_help_loads_no_more_than_the_command_line_needs(tmp_path: Path) -> None:
    loaded = loaded_by(tmp_path, "--help")
    assert not loaded & set(HEAVY)
    assert {name for name in loaded if name.startswith("buildsys.")} == {
        "buildsys.__main__",
        "buildsys.base",
        "buildsys.base.errors",
        "buildsys.base.interrupts",
        "buildsys.base.value",
        "buildsys.cli",
        "buildsys.config",
        "buildsys.ending",
        "buildsys.options",
        "buildsys.snapshot",
        "buildsys.version",
    }


def test_a_run_with_nothing_to_do_loads_the_snapshot_alone(tmp_path: Path) -> None:
    words = ("install", "--modules", str(PACKAGE.parent / "modules"), "hello")
    loaded_by(tmp_path, *words)
    loaded = loaded_by(tmp_path, *words)
    assert {name for name in loaded if name.startswith("buildsys")} == {
        "buildsys",
        "buildsys.__main__",
        "buildsys.snapshot",
    }
    assert not loaded & {*HEAVY, "argparse", "dataclasses", "pathlib", "re", "typing", "contextlib"}


START = {
    "__main__",
    "base",
    "base.errors",
    "base.interrupts",
    "base.value",
    "cli",
    "config",
    "ending",
    "options",
    "snapshot",
    "version",
}
VERB = {*START, "verbs"}
SETTINGS = {"pipeline", "pipeline.settings", "verbs.settings"}
DESCRIPTORS = {
    "module", "module.descriptor", "module.model", "module.recipefile", "module.schema", "plist",
    "base.yamlfile",
}  # fmt: skip
# What each verb that only looks imports of ours, beyond Python's own library.
LOADED = {
    ("config",): VERB | SETTINGS | {"verbs.configuration"},
    ("schema",): VERB | {"module", "module.model", "module.schema", "plist", "verbs.schema"},
    ("list",): VERB
    | SETTINGS
    | DESCRIPTORS
    | {"base.shipped", "pipeline.descriptors", "toolchain", "toolchain.machine"}
    | {"toolchain.model", "verbs.listing"},
    ("info", "FILE"): VERB
    | {
        "base.digest",
        "base.standin",
        "elf",
        "elf.describe",
        "elf.memory",
        "elf.model",
        "elf.modinfo",
    }
    | {"elf.notes", "elf.reader", "elf.relocnames", "verbs.info"},
}


@pytest.mark.parametrize("words", LOADED, ids=lambda words: words[0])
def test_a_verb_that_only_looks_loads_what_it_needs(tmp_path: Path, words: tuple[str, ...]) -> None:
    case = PACKAGE.parent / "tests/data/loader-cases/cases/ok_hello/ok_hello/ok_hello.kmod"
    (tmp_path / "modules").symlink_to(PACKAGE.parent / "modules")
    loaded = loaded_by(tmp_path, *(str(case) if word == "FILE" else word for word in words))
    found = {name.removeprefix("buildsys.") for name in loaded if name.startswith("buildsys.")}
    assert found == LOADED[words]
    assert not loaded & {"doit", "jinja2", "rich", "sqlite3", "subprocess"}
