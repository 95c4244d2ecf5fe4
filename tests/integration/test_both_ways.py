"""Random edits with modules that are not fit, or do not compile: the short way as the long one.

Two object directories and two DESTDIRs of one tree: in one of them the snapshots are thrown away
before each run, so that it goes the long way. What ran, what was said, the exit status and what is
installed must be the same in both.

MODBUILD_TEST_EXAMPLES sets how many series of 60 edits are tried, with a seed that is printed
(MODBUILD_TEST_SEED gives one); by default the edits are always the same.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule
from modeltree import (
    KERNELS,
    MODULES_DIRECTORY,
    NUMBERS,
    SPECS,
    Answer,
    ModelTree,
    TreeMachine,
    read_tree,
    run_edits,
    work_in_model_tree,
)

EXAMPLES = int(os.environ.get("MODBUILD_TEST_EXAMPLES", "3"))
STEPS = 60
STATES = {
    "fit": "",
    "unfit": "/* odd */ int frobnicate(int); int {0}_odd(void) {{ return frobnicate(1); }}\n",
    "wrong": "/* odd */ int {0}_odd = nothing;\n",
}
REQUESTS = (
    *[("install", "-k")] * 5,
    ("build", "-k"),
    ("install", "-j1"),
    ("install", "-k", "beta"),
)
EDITED = sorted(name for name in NUMBERS if not name.endswith(".yaml"))
NAMES = st.sampled_from(sorted(SPECS))
SELDOM = st.integers(0, 4)  # most edits are small: what is done at 0 alone has the long way gone


class BothWays(TreeMachine):
    """One tree, built in 'obj' as it comes, in 'long' without any snapshot."""

    def __init__(self) -> None:
        super().__init__()
        for name in ("long", "long-destdir"):
            shutil.rmtree(self.tree.path(name), ignore_errors=True)
        self.edit_a_module("gamma", "unfit", 0)
        self.waiting = 0

    @rule(name=st.sampled_from(EDITED), number=st.integers(1, 3))
    def edit_a_number(self, name: str, number: int) -> None:
        path = self.tree.path(name)
        head, sign, tail = path.read_text().partition(NUMBERS[name])
        path.write_text(f"{head}{sign}{number}{tail[1:]}")

    @rule(name=NAMES, state=st.sampled_from(sorted(STATES)), chance=SELDOM)
    def edit_a_module(self, name: str, state: str, chance: int) -> None:
        if chance:
            return
        path = self.tree.path(f"modules/{name}/{name}.c")
        text = path.read_text().partition("/* odd */")[0]
        path.write_text(text + STATES[state].format(name))

    @rule(name=st.sampled_from(sorted(KERNELS)), chance=SELDOM)
    def change_the_kernel(self, name: str, chance: int) -> None:
        if not chance:
            self.tree.set_kernel(name)

    @rule(name=NAMES, how=st.sampled_from(["spoil", "remove", "chmod"]))
    def meddle_with_what_is_installed(self, name: str, how: str) -> None:
        for destdir in ("destdir", "long-destdir"):
            path = self.tree.path(f"{destdir}/{MODULES_DIRECTORY}/{name}/{name}.kmod")
            if path.exists():
                path.chmod(0o644)
                if how == "spoil":
                    path.write_bytes(b"spoilt")
                elif how == "remove":
                    path.unlink()

    @rule(name=NAMES, chance=SELDOM)
    def uninstall(self, name: str, chance: int) -> None:
        """Take away what may not stay beside others: an unfit module that was fit once; or any."""
        if not chance or "/* odd */" in self.tree.path(f"modules/{name}/{name}.c").read_text():
            self.run_both("uninstall", name)

    @rule(request=st.sampled_from(REQUESTS))
    def build(self, request: tuple[str, ...]) -> None:
        """Build; and see that a second run has nothing to do in either, where nothing failed."""
        self.waiting = 0
        status, _ = self.run_both(*request)
        self.counted["builds"] += 1
        _, steps = self.run_both(*request)
        assert status == 1 or not steps

    @invariant()
    def count(self) -> None:
        self.counted["edits"] += 1
        self.waiting += 1
        if self.waiting > 3:
            self.build(("install", "-k"))

    def run_both(self, *words: str) -> tuple[int, frozenset[str]]:
        """Run a verb in both; gives the status and the steps that ran."""
        shutil.rmtree(self.tree.path("long/.snapshots"), ignore_errors=True)
        told = []
        for places in (("obj", "destdir"), ("long", "long-destdir")):
            answer = self.tree.run(*words, "-O", places[0], "-D", places[1])
            output = answer.output.replace("long-destdir", "destdir").replace("/long/", "/obj/")
            installed = read_tree(self.tree.path(places[1]))
            steps = Answer(answer.status, output).steps
            told.append((answer.status, steps, _lines(output), installed))
        assert told[0] == told[1]
        return told[0][0], told[0][1]


def _lines(output: str) -> set[str]:
    """Give what was said beside the steps; that nothing was to do is said in two ways."""
    output = re.sub(r"\d+\.\d s", "S", output).replace(" (0 steps run, S)", "")
    lines = (line.removeprefix("Nothing to do: ") for line in output.splitlines())
    return {line for line in lines if not line.startswith("#  ")}


@pytest.fixture
def tree() -> Iterator[ModelTree]:
    with work_in_model_tree() as tree:
        yield tree


def test_the_short_way_does_and_says_what_the_long_one_does(
    tree: ModelTree, record_property: Callable[[str, object], None]
) -> None:
    counted = {"edits": 0, "builds": 0}

    class Seeded(BothWays):
        pass

    Seeded.tree, Seeded.counted = tree, counted
    run_edits(Seeded, 1, EXAMPLES, STEPS)
    counted["short ways"], counted["in part"] = tree.short_ways, tree.partial_ways
    record_property("both ways", counted)
    assert tree.short_ways > counted["builds"] // 10, counted
    assert tree.partial_ways > EXAMPLES
