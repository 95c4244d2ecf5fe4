"""Random edits of a small tree: after each, a build equals one from scratch, and a second does
nothing.

MODBUILD_TEST_EXAMPLES sets how many series of edits are tried; the default keeps the gate short.
"""

import contextlib
import io
import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from workspace import CLONE, FILES, STAND, Workspace, make_workspace

from buildsys import __main__, cli

EXAMPLES = int(os.environ.get("MODBUILD_TEST_EXAMPLES", "4"))
DIGITS = st.integers(min_value=1, max_value=4)
# Each place that an edit may touch: the file, and what stands before the number in it.
NUMBERS = {
    "modules/alpha/alpha.h": "STEP ",
    "modules/gamma/gamma.yaml": "SHIFT=",
    "modules/gamma/tables.c": "LIMIT + ",
    "modules/second/shape.h": "SHAPE ",
    "modules/first/limits.h": "LIMIT ",
}
SHADOWS = {
    "modules/first/shape.h": "#define SHAPE {}\n",
    "modules/gamma/shape.h": "#define SHAPE {}\n",  # <…> does not look there
    "modules/beta/alpha.h": "int alpha_count(void);\n#define ALPHA_STEP {}\n",
    "modules/gamma/limits.h": "#define LIMIT {}\n",
    "modules/second/limits.h": "#define LIMIT {}\n",
}


def install(*words: str) -> tuple[int, str]:
    """Run modbuild in this process, as its main program would; give status and output."""
    arguments = ["install", *words]
    status, answer = __main__._find_answer(arguments)
    if answer is not None:
        return status, answer
    output = io.StringIO()
    handlers = {number: signal.getsignal(number) for number in (1, 2, 15)}
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        status = cli.run(arguments)
    for number, handler in handlers.items():
        signal.signal(number, handler)
    return status, output.getvalue()


class TreeEdits(RuleBasedStateMachine):
    """The small tree under edits; what a build of each state gives is asked of a clean build."""

    clean_builds: ClassVar[dict[str, dict[str, str]]] = {}

    def __init__(self) -> None:
        super().__init__()
        self.before = os.getcwd()
        # One place for all, since names of sources are in the objects.
        self.root = Path(tempfile.gettempdir()) / f"modbuild-model-{os.getpid()}"
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir()
        self.tree: Workspace = make_workspace(self.root)
        self.tree.edit("modules/gamma/tables.c", "LIMIT;", "LIMIT + 1;")
        os.chdir(self.root)
        self.is_change_expected = True

    def teardown(self) -> None:
        os.chdir(self.before)
        shutil.rmtree(self.root)

    @initialize()
    def build_first(self) -> None:
        assert install()[0] == 0

    @rule(name=st.sampled_from(sorted(NUMBERS)), number=DIGITS, keep_times=st.booleans())
    def edit_a_number(self, name: str, number: int, keep_times: bool) -> None:
        """Edit, or take back an edit; the size stays, and at times the mtime."""
        path = self.tree.path(name)
        text, status = path.read_text(), path.stat()
        head, sign, tail = text.partition(NUMBERS[name])
        path.write_text(f"{head}{sign}{number}{tail[1:]}")
        if keep_times:
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    @rule(name=st.sampled_from(sorted(FILES)), seconds=st.sampled_from([1, 2_000_000_000]))
    def touch(self, name: str, seconds: int) -> None:
        os.utime(self.tree.path(name), (seconds, seconds))

    @rule(name=st.sampled_from(sorted(FILES)))
    def replace_by_a_copy(self, name: str) -> None:
        path = self.tree.path(name)
        shutil.copy2(path, path.with_name("copy"))
        path.with_name("copy").replace(path)

    @rule(name=st.sampled_from(sorted(SHADOWS)), number=DIGITS)
    def add_a_shadow(self, name: str, number: int) -> None:
        self.tree.write(name, SHADOWS[name].format(number))

    @rule(name=st.sampled_from(sorted(SHADOWS)))
    def remove_a_shadow(self, name: str) -> None:
        self.tree.path(name).unlink(missing_ok=True)

    @rule(level=st.one_of(st.none(), DIGITS))
    def edit_properties(self, level: int | None) -> None:
        text = FILES["modules/alpha/alpha.yaml"].partition("properties")[0]
        more = "" if level is None else f"properties:\n  level: {level}\n"
        self.tree.write("modules/alpha/alpha.yaml", text + more)

    @rule(pick=st.integers(min_value=0), spoil=st.sampled_from(["remove", "flip", "empty"]))
    def spoil_an_output(self, pick: int, spoil: str) -> None:
        """Remove or damage any file that a build made, the store's and METALOG among them."""
        made = sorted(
            path
            for name in ("obj", "destdir")
            for path in self.tree.path(name).rglob("*")
            if path.is_file() and "clean" not in path.parts and path.name != "METALOG"
            and "receipts" not in path.parts and "history" not in str(path)
        )  # fmt: skip
        path = made[pick % len(made)]
        if spoil == "remove":
            path.unlink()
            return
        status, content = path.stat(), bytearray(path.read_bytes())
        if spoil == "flip" and content:
            content[pick % len(content)] ^= 0x55
        elif spoil == "empty":
            content.clear()
        path.chmod(0o644)
        path.write_bytes(content)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    @rule()
    def use_a_copy_of_the_kernel(self) -> None:
        kernel = next((CLONE / "toolchain/kernel").glob("amd64-10.99.12-*.kmap*"))
        shutil.copy2(kernel, self.root / kernel.name)
        self.tree.write("modbuild.yaml", f"kernel: {kernel.name}\n")

    @rule()
    def use_the_shipped_kernel(self) -> None:
        self.tree.path("modbuild.yaml").unlink(missing_ok=True)

    @rule(edit=st.sampled_from([shutil.rmtree, os.unlink]))
    def forget(self, edit: Callable[[Path], None]) -> None:
        """Lose the snapshot, or the whole record of the build."""
        directory = self.root / "obj/.snapshots"
        if edit is shutil.rmtree:
            shutil.rmtree(directory, ignore_errors=True)
        else:
            (self.root / "obj/amd64-x86_64/.modbuild/store.sqlite3").unlink(missing_ok=True)

    @invariant()
    def a_build_equals_one_from_scratch_and_a_second_does_nothing(self) -> None:
        if not self.root.joinpath("obj").exists():
            return
        status, output = install()
        assert status == 0, output
        state = repr(self.tree.digests("modules"))
        if state not in self.clean_builds:
            for name in ("clean-obj", "clean-destdir"):
                shutil.rmtree(self.root / name, ignore_errors=True)
            status, output = install("-O", "clean-obj", "-D", "clean-destdir")
            assert status == 0, output
            self.clean_builds[state] = self.tree.digests("clean-destdir")
        built = {f"clean-{name}": digest for name, digest in self.tree.digests().items()}
        assert built == self.clean_builds[state]
        status, output = install()
        assert status == 0
        assert "Nothing to do" in output, output
        assert "#  " not in output, output
        assert self.root.joinpath(STAND).is_dir()


TestTreeEdits = TreeEdits.TestCase
TestTreeEdits.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=EXAMPLES == 4,
    print_blob=True,
)
