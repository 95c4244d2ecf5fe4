"""Random edits of a small tree: after them, a build equals one from scratch and does no more.

The edits, any few of them between two builds: a number in a source, header or descriptor (its size
kept, at times its mtime too), an edit with a build before it is taken back (in the same file or a
new one), touch into the past or the future, a file replaced by a copy of itself, a header that
appears earlier on the include path or goes, a link to headers that comes to lead elsewhere, a
module built alone, with words of its own, before all are built, properties, a profile's flags, the
compiler replaced in place, another kernel (one of them without a symbol that a module needs), the
clock set back, a module renamed or removed (what it installed is left over, and uninstalled at
times), any output in OBJDIR or DESTDIR removed, damaged or emptied with its times kept, snapshots
or the whole record lost or damaged.

After each build are compared, with what the oracle of modeltree knows: every installed file and
METALOG, byte for byte, with builds from scratch; the steps that ran, with those that had a reason
to; the files in OBJDIR, with those that the steps make; and a second build must run nothing.

By default the edits are always the same two thousand. MODBUILD_TEST_EXAMPLES sets how many series
of 100 each of the two halves tries, with a seed that is printed (MODBUILD_TEST_SEED gives one).
"""

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    invariant,
    precondition,
    rule,
)
from modeltree import (
    HEADERS,
    KERNELS,
    LINKED,
    MODULES_DIRECTORY,
    NUMBERS,
    SHADOWS,
    SPECS,
    Answer,
    ModelTree,
    TreeMachine,
    digest_outputs,
    read_tree,
    run_edits,
    work_in_model_tree,
)

EXAMPLES = int(os.environ.get("MODBUILD_TEST_EXAMPLES", "10"))
STEPS = 100  # edits in a series
BETWEEN = (1, 4, 2, 6, 1, 5, 3)  # edits between two builds, in turns
SOURCES = sorted((*HEADERS, *(f"modules/{name}/{name}.c" for name in SPECS)))


class TreeEdits(TreeMachine):
    """The small tree under edits; what a build of each state gives is asked of a clean build."""

    def __init__(self) -> None:
        super().__init__()
        self.facts: dict[str, tuple[object, ...]] = {}  # by step, as they were when it ran
        self.made: dict[str, bytes] = {}  # what it made then
        self.left: dict[str, dict[str, bytes]] = {}  # modules that are no longer described
        self.kernel = "usual"
        self.forgotten: set[str] = set()  # steps of which the record is lost
        self.stray: set[str] = set()  # files of which no record tells that they are ours
        self.installed: dict[str, bytes] = {}
        self.builds = 0
        self.waiting = 0  # edits that were not built yet
        self.build_equals_one_from_scratch()

    @rule(name=st.sampled_from(sorted(NUMBERS)), number=st.integers(1, 2), keep=st.booleans())
    def edit_a_number(self, name: str, number: int, keep: bool) -> None:
        """Edit, or take back an edit; the size stays, and at times the mtime."""
        path = self.tree.path(name)
        if not path.exists():
            return
        text, status = path.read_text(), path.stat()
        head, sign, tail = text.partition(NUMBERS[name])
        path.write_text(f"{head}{sign}{number}{tail[1:]}")
        if keep:
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    @rule(name=st.sampled_from(SOURCES), is_replaced=st.booleans())
    def edit_and_revert(self, name: str, is_replaced: bool) -> None:
        """Edit with a build between; then the first bytes again, in the same file or a new one."""
        path = self.tree.path(name)
        if not path.exists():
            return
        text = path.read_bytes()
        path.write_bytes(text + b"/* more */\n")
        self.build_equals_one_from_scratch()
        if is_replaced:
            path.unlink()
        path.write_bytes(text)

    @rule(name=st.sampled_from(SOURCES), seconds=st.sampled_from([1, 2_000_000_000]))
    def touch(self, name: str, seconds: int) -> None:
        if self.tree.path(name).exists():
            os.utime(self.tree.path(name), (seconds, seconds))

    @rule(name=st.sampled_from(SOURCES))
    def replace_by_a_copy(self, name: str) -> None:
        path = self.tree.path(name)
        if path.exists():
            shutil.copy2(path, path.with_name("copy"))
            path.with_name("copy").replace(path)

    @rule(place=st.sampled_from(LINKED))
    def lead_elsewhere(self, place: str) -> None:
        """Have a directory of headers lead to others, or to the same again."""
        self.tree.set_link(place)

    @rule(name=st.sampled_from(sorted(SPECS)), verb=st.sampled_from(["build", "install"]))
    def build_a_part(self, name: str, verb: str) -> None:
        """Build one module with words of its own, which the next build of all knows nothing of."""
        if name not in self.tree.modules or self.kernel == "lacking":
            return
        answer = self.tree.run(verb, name)
        assert answer.status == 0, answer.output
        facts, made = self.tree.facts(), digest_outputs(self.tree.outputs())
        for step in answer.steps & facts.keys():
            self.facts[step], self.made[step] = facts[step], made[step]
        self.forgotten -= answer.steps
        if verb == "install":  # its METALOG is not that of all
            self.facts.pop("metalog:METALOG", None)
        for step in answer.moved:
            self.facts.pop(step, None)

    @rule(name=st.sampled_from(sorted(SHADOWS)))
    def add_a_shadow(self, name: str) -> None:
        """Put a header where it is found before another of its name, or seems to be."""
        self.tree.write(name, SHADOWS[name])

    @rule(name=st.sampled_from(sorted(SHADOWS)))
    def remove_a_header(self, name: str) -> None:
        self.tree.path(name).unlink(missing_ok=True)

    @rule(level=st.sampled_from(["", "1", "2"]))
    def edit_properties(self, level: str) -> None:
        path = self.tree.path("modules/alpha/alpha.yaml")
        text = path.read_text().partition("properties")[0]
        path.write_text(text + (f"properties:\n  level: {level}\n" if level else ""))

    @rule(number=st.integers(1, 2))
    def edit_the_profile(self, number: int) -> None:
        self.tree.set_profile(number)

    @rule(number=st.integers(1, 2))
    def replace_the_compiler(self, number: int) -> None:
        self.tree.set_compiler(number)

    @rule(name=st.sampled_from(sorted(KERNELS)))
    def change_the_kernel(self, name: str) -> None:
        self.kernel = name
        self.tree.set_kernel(name)

    @rule(seconds=st.sampled_from([0, 3600]))
    def set_the_clock_back(self, seconds: int) -> None:
        """Let files be from the future; or set the clock right again."""
        self.tree.setback_ns = seconds * 10**9

    @rule(is_kept=st.booleans())
    def rename_a_descriptor(self, is_kept: bool) -> None:
        """Rename delta's to omega's or back, its directory and source with it, or remove it."""
        now = next((name for name, spec in self.tree.modules.items() if spec == "delta"), "")
        if now:
            self.left[now] = self._files_of(now, self.installed)
            del self.tree.modules[now]
            self.tree.path(f"modules/{now}/{now}.yaml").unlink()
            self.tree.path(f"modules/{now}/{now}.c").unlink()
        if is_kept or not now:
            name = "delta" if now == "omega" else "omega"
            spec = SPECS["delta"]
            self.tree.write(f"modules/{name}/{name}.c", spec.source(name))
            text = f"class: misc\nsources: [{name}.c]\n{spec.settings}"
            self.tree.write(f"modules/{name}/{name}.yaml", text)
            self.tree.modules[name] = "delta"
            self.left.pop(name, None)

    @precondition(lambda self: self.left)
    @rule()
    def uninstall_what_is_left_over(self) -> None:
        answer = self.tree.run("uninstall", "--left-over")
        assert answer.status == 0, answer.output
        self.left.clear()
        self.installed = read_tree(self.tree.path("destdir"))  # METALOG is another now

    @rule(pick=st.integers(min_value=0), spoil=st.sampled_from(["remove", "flip", "empty"]))
    def spoil_an_output(self, pick: int, spoil: str) -> None:
        """Remove or damage any file that a step made, its times kept."""
        made = sorted(
            path
            for paths in self.tree.outputs().values()
            for path in paths
            if path.is_file() and path.name != "METALOG" and "receipt" not in path.name
        )
        if not made:
            return
        path = made[pick % len(made)]
        self.stray |= {str(path), str(path.parent)}  # not what was made: it stays
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

    @rule(edit=st.sampled_from(["snapshots", "store", "flipped"]))
    def forget(self, edit: str) -> None:
        """Lose the snapshots, or the whole record of the build, or have that damaged."""
        if edit == "snapshots":
            shutil.rmtree(self.tree.path("obj/.snapshots"), ignore_errors=True)
            return
        path = self.tree.path("obj/amd64-x86_64/.modbuild/store.sqlite3")
        if path.exists():
            self.forgotten.update(self.tree.facts(), self.facts)
            self.stray |= self.tree.made()
            if edit == "store":
                path.unlink()
            else:
                path.write_bytes(b"no database" * 1000)

    @invariant()
    def build_now_and_then(self) -> None:
        """Build after one edit or some."""
        self.counted["edits"] += 1
        self.waiting += 1
        if self.waiting >= BETWEEN[self.builds % len(BETWEEN)]:
            self.build_equals_one_from_scratch()

    def teardown(self) -> None:
        """Build once more where edits are waiting."""
        if self.waiting:
            self.build_equals_one_from_scratch()

    def build_equals_one_from_scratch(self) -> None:
        """Build; compare with the oracle what was done, what is installed, what was said."""
        self.builds, self.waiting = self.builds + 1, 0
        before = digest_outputs(self.tree.outputs())
        former = read_tree(self.tree.path("destdir"))
        answer = self.tree.run("install")
        self.counted["builds"] += 1
        self.counted["commands"] += len(answer.steps)
        is_fit = self.kernel != "lacking"
        assert answer.status == (0 if is_fit else 2), answer.output
        self._compare_steps(answer, before, is_fit)
        found = read_tree(self.tree.path("destdir"))
        if is_fit:
            self.installed = self._expect()
            self._note_installed()
        assert found == (self.installed if is_fit else former)
        for name in self.left if is_fit else ():
            if self.left[name]:
                line = next(row for row in answer.output.splitlines() if "left over in" in row)
                assert name in line
        if is_fit:
            self._compare_object_directory()
            self._run_again(answer.moved)

    def _compare_object_directory(self) -> None:
        """See that OBJDIR holds what the steps make, and nothing of those that are gone."""
        made, makeable = self.tree.made(), self.tree.makeable()
        assert makeable <= made <= makeable | self.stray
        if not self.forgotten:
            self.stray -= makeable

    def _run_again(self, moved: frozenset[str]) -> None:
        """See that a second run does nothing more than the steps that the first named."""
        again = self.tree.run("install")
        if again.steps and again.steps <= moved:  # those are known now
            again = self.tree.run("install")
        assert again.status == 0, again.output
        assert not again.steps, again.output

    def _expect(self) -> dict[str, bytes]:
        """Give what must be installed: a clean build, and what was left over."""
        known = len(self.tree.clean)
        expected = self.tree.expect()
        self.counted["clean builds"] += len(self.tree.clean) - known
        lines = expected["METALOG"].splitlines()
        for files in self.left.values():
            lines += files.get("METALOG", b"").splitlines()
            expected.update(files)
        return {**expected, "METALOG": b"\n".join(sorted(lines))}

    def _compare_steps(self, answer: Answer, before: dict[str, bytes], is_fit: bool) -> None:
        """See that each step that ran had a reason to."""
        facts, after = self.tree.facts(), digest_outputs(self.tree.outputs())
        for step in sorted(answer.steps):
            has_reason = (
                step in self.forgotten
                or facts[step] != self.facts.get(step)
                or before.get(step) != self.made.get(step)
            )
            assert has_reason or (step == "check:beta" and not is_fit), (step, answer.output)
        ran = answer.steps - ({"check:beta"} if not is_fit else set())
        for step in facts if is_fit else ran:
            self.facts[step] = facts[step]
            self.made[step] = after[step]
        if not is_fit:
            self.facts.pop("check:beta", None)
        self.forgotten -= ran
        # A header that is new and from the future may have changed while it was read.
        assert self.tree.setback_ns or not answer.moved, answer.output
        for step in (self.facts.keys() - facts.keys()) | answer.moved:
            self.facts.pop(step, None)

    def _note_installed(self) -> None:
        """Take what is installed now for what the last step made."""
        self.made["metalog:METALOG"] = digest_outputs(self.tree.outputs())["metalog:METALOG"]

    def _files_of(self, name: str, installed: dict[str, bytes]) -> dict[str, bytes]:
        """Choose the installed files of a module, and its lines of METALOG."""
        own = f"{MODULES_DIRECTORY}/{name}"
        lines = [
            line
            for line in installed.get("METALOG", b"").splitlines()
            if line.startswith((f"./{own} ".encode(), f"./{own}/".encode()))
        ]
        files = {file: data for file, data in installed.items() if file.startswith(f"{own}/")}
        return {**files, "METALOG": b"\n".join(lines)} if files else {}


@pytest.fixture
def tree() -> Iterator[ModelTree]:
    with work_in_model_tree() as tree:
        yield tree


@pytest.mark.parametrize("half", [1, 2])
def test_after_any_edit_a_build_equals_one_from_scratch_and_does_no_more(
    half: int, tree: ModelTree, record_property: Callable[[str, object], None]
) -> None:
    counted = {"edits": 0, "builds": 0, "commands": 0, "clean builds": 0}

    class Half(TreeEdits):
        pass

    Half.tree, Half.counted = tree, counted
    run_edits(Half, half, EXAMPLES, STEPS)
    counted["short ways"] = tree.short_ways
    record_property("model", counted)
    assert counted["edits"] >= EXAMPLES * STEPS
    assert tree.short_ways > counted["builds"] // 10
