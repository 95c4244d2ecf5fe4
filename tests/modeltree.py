"""A tree of four tiny modules for random edits, and what is right of it: an oracle of its own.

The oracle knows what each step may depend on without asking modbuild, and what each module's
installed files are from clean builds of that module alone, one for each state of its sources.
"""

import contextlib
import hashlib
import io
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test
from quickcc import write_tools
from workspace import CLONE, STAND

from buildsys import __main__
from buildsys.base import shipped
from buildsys.base.digest import digest_file
from buildsys.kernel.load import load_kernel, save_kernel
from buildsys.kernel.version import parse_version
from buildsys.pipeline import storevalues
from buildsys.pipeline.again import run_again
from buildsys.pipeline.frame import Frame
from buildsys.verbs import again

_SOURCE = """#include <sys/param.h>
#include <sys/module.h>
#include <sys/systm.h>
#include {header}
int {name}_more({type});
MODULE(MODULE_CLASS_MISC, {name}, {requires});
static int
{name}_modcmd(modcmd_t cmd, void *arg)
{{
	(void)arg;
	return cmd == MODULE_CMD_INIT || cmd == MODULE_CMD_FINI ? 0 : ENOTTY;
}}
int
{name}_more({type})
{{
	{body}
}}
"""


@dataclass(frozen=True, slots=True)
class Spec:
    """A module: the header that its source asks for, where that is looked for, what it requires."""

    header: str
    places: tuple[str, ...]
    requires: tuple[str, ...]
    body: str
    settings: str

    def source(self, name: str) -> str:
        """Give the source's text."""
        requires = f'"{",".join(self.requires)}"' if self.requires else "NULL"
        return _SOURCE.format(
            header=self.header, name=name, type="void", requires=requires, body=self.body
        )


SPECS = {
    "alpha": Spec(
        '"alpha.h"', ("alpha",), (), "return STEP + COMPILER;",
        "include: [.]\nproperties:\n  level: 1\n",
    ),
    "beta": Spec(
        '"alpha.h"', ("beta", "alpha"), ("alpha",),
        'printf("%d", alpha_more());\n\treturn STEP;',
        "requires: [alpha]\ninclude: [../alpha]\n",
    ),
    "gamma": Spec(
        "<shape.h>", ("first", "../link"), (), "return SHAPE << SHIFT;",
        "include: [../first, ../../link]\ndefines: [SHIFT=1]\n",
    ),
    "delta": Spec(
        "<limits.h>", ("first", "../link"), (), "return LIMIT + PROFILE + 1;",
        "include: [../first, ../../link]\n",
    ),
}  # fmt: skip
# Each place that an edit may touch: the file, and what stands before the digit in it.
NUMBERS = {
    "modules/alpha/alpha.h": "STEP ",
    "modules/gamma/gamma.yaml": "SHIFT=",
    "modules/delta/delta.c": "PROFILE + ",
    "include/one/shape.h": "SHAPE ",
    "include/one/limits.h": "LIMIT ",
    "include/two/shape.h": "SHAPE ",
}
HEADERS = {
    "modules/alpha/alpha.h": "int alpha_more(void);\n#define STEP 1\n",
    "include/one/shape.h": "#define SHAPE 3\n",
    "include/one/limits.h": "#define LIMIT 7\n",
    "include/two/shape.h": "#define SHAPE 4\n",
    "include/two/limits.h": "#define LIMIT 7\n",
}
LINKED = ("include/one", "include/two")
SHADOWS = {
    "modules/beta/alpha.h": "int alpha_more(void);\n#define STEP 9\n",
    "modules/first/shape.h": "#define SHAPE 9\n",
    "modules/first/limits.h": "#define LIMIT 9\n",
    "modules/gamma/shape.h": "#define SHAPE 8\n",  # <…> does not look there
    "modules/delta/limits.h": "#define LIMIT 8\n",
}
_CLOCK = time.time_ns
_SETTINGS = "toolchain: llvm\nkernel: kernel.kmap\n"
_PROFILE = "package/toolchain/machine/amd64-x86_64.yaml"
MODULES_DIRECTORY = STAND.partition("/")[2]
_MODULAR = "ffffffff80200100 T kobj_sym_lookup\n"
KERNELS = {
    "usual": f"{_MODULAR}ffffffff80200000 T printf\n",
    "another": f"{_MODULAR}ffffffff80200010 T printf\nffffffff80200020 T another\n",
    "lacking": f"{_MODULAR}ffffffff80200000 T another\n",  # beta cannot be loaded there
}


@dataclass(slots=True)
class Answer:
    """How a run in this process ended; steps are those that it started."""

    status: int
    output: str

    @property
    def steps(self) -> frozenset[str]:
        lines = (line.split() for line in self.output.splitlines() if line.startswith("#  "))
        return frozenset(f"{words[1]}:{words[2]}" for words in lines)

    @property
    def moved(self) -> frozenset[str]:
        """Name the steps of which a file changed meanwhile, so that they will run again."""
        end = ": a file that it reads changed meanwhile; run again"
        lines = (line for line in self.output.splitlines() if line.endswith(end))
        return frozenset(line.removesuffix(end) for line in lines)


@dataclass(slots=True)
class ModelTree:
    """The tree below root, where the process works meanwhile."""

    root: Path
    modules: dict[str, str] = field(default_factory=lambda: {name: name for name in SPECS})
    clean: dict[bytes, dict[str, bytes]] = field(default_factory=dict)
    fixed: dict[str, bytes] = field(default_factory=dict)  # digests of files beyond the tree
    setback_ns: int = 0
    short_ways: int = 0  # runs of which little had changed
    partial_ways: int = 0  # those of them that installed beside kmods that are not fit

    def path(self, name: str) -> Path:
        return self.root / name

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def make(self) -> None:
        """Write all anew."""
        self.modules = {name: name for name in SPECS}
        self.setback_ns = 0
        for name in ("modules", "include", "obj", "destdir", "package"):
            shutil.rmtree(self.root / name, ignore_errors=True)
        for name, spec in SPECS.items():
            self.write(f"modules/{name}/{name}.c", spec.source(name))
            text = f"class: misc\nsources: [{name}.c]\n{spec.settings}"
            self.write(f"modules/{name}/{name}.yaml", text)
        for name, text in HEADERS.items():
            self.write(name, text)
        shutil.copytree(CLONE / "toolchain", self.root / "package/toolchain", symlinks=True)
        self.set_link(LINKED[0])
        self.set_kernel("usual")
        self.set_compiler(1)
        self.set_profile(1)

    def set_link(self, target: str) -> None:
        """Have a directory of headers lead elsewhere."""
        self.path("link").unlink(missing_ok=True)
        self.path("link").symlink_to(target)

    def set_kernel(self, name: str) -> None:
        shutil.copyfile(self.root / f"kernels/{name}.kmap", self.root / "kernel.kmap")
        self.write("modbuild.yaml", _SETTINGS)

    def set_compiler(self, number: int) -> None:
        """Replace the compiler in place by one that defines another number."""
        write_tools(self.root / "bin", number)

    def set_profile(self, number: int) -> None:
        text = (CLONE / "toolchain/machine/amd64-x86_64.yaml").read_text()
        self.write(
            _PROFILE, text.replace("[-mno-red-zone", f"[-DPROFILE={number}, -mno-red-zone", 1)
        )

    def run(self, *words: str) -> Answer:
        """Run modbuild in this process, as its main program would."""
        output = io.StringIO()
        handlers = {number: signal.getsignal(number) for number in (1, 2, 15)}
        try:
            with (
                contextlib.redirect_stdout(output),
                contextlib.redirect_stderr(output),
                self._surroundings(),
            ):
                status = __main__.answer(list(words))
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        return Answer(status, output.getvalue())

    def _digest_file(self, path: str) -> bytes:
        """Digest a file; the real compiler's own, which no edit touches, once for all."""
        if path.startswith(f"{self.root}/"):
            return digest_file(path)
        if path not in self.fixed:
            self.fixed[path] = digest_file(path)
        return self.fixed[path]

    def _tell_time(self) -> int:
        return _CLOCK() - self.setback_ns

    def _count_short_way(self, frame: Frame, *words: Any) -> object:
        rerun = run_again(frame, *words)
        self.short_ways += rerun is not None
        self.partial_ways += rerun is not None and frame.partial is not None
        return rerun

    @contextlib.contextmanager
    def _surroundings(self) -> Iterator[None]:
        """Have the copy of what comes with modbuild found, and the clock as it was set back."""
        path = f"{self.root}/bin:/usr/bin:/bin"
        with (
            mock.patch.object(shipped, "_PACKAGE", self.root / "package/buildsys"),
            mock.patch.object(storevalues, "digest_file", self._digest_file),
            mock.patch.object(time, "time_ns", self._tell_time),
            mock.patch.object(again, "run_again", self._count_short_way),
            mock.patch.dict(os.environ, {"PATH": path}),
        ):
            yield

    # -- what is right ---------------------------------------------------------------------------

    def expect(self) -> dict[str, bytes]:
        """Give what a build from scratch installs: content by name below the destdir."""
        found: dict[str, bytes] = {}
        lines: set[bytes] = set()
        for name in sorted(self.modules):
            own = self._clean_build(name)
            lines.update(own["METALOG"].splitlines())
            found.update(own)
        return {**found, "METALOG": b"\n".join(sorted(lines))}

    def _clean_build(self, name: str) -> dict[str, bytes]:
        state = self._digest_state(name)
        if state not in self.clean:
            places = ("clean-obj", "clean-destdir")
            for place in places:
                shutil.rmtree(self.root / place, ignore_errors=True)
            # It would be judged with the usual kernel: whether that changed does not count here.
            kernel = str(self.root / "kernels/usual.kmap")
            words = ("-O", places[0], "-D", places[1], "--kernel", kernel, name)
            answer = self.run("install", *words)
            assert answer.status == 0, answer.output
            self.clean[state] = read_tree(self.root / places[1])
        return self.clean[state]

    def _digest_state(self, name: str) -> bytes:
        """Digest every file that could have a part in a module."""
        spec = SPECS[self.modules[name]]
        places = {name, *spec.places, *spec.requires}
        files = [*self.root.glob("bin/*"), self.root / _PROFILE]
        for place in sorted(places):
            files += sorted((self.root / "modules" / place).glob("*"))
        return digest_files(files)

    def facts(self) -> dict[str, tuple[object, ...]]:
        """Give for each step all that its result may depend on, as it is now."""
        tools = digest_files([*self.root.glob("bin/*"), self.root / _PROFILE])
        objects = self.root / "obj/amd64-x86_64"
        facts: dict[str, tuple[object, ...]] = {}
        for name in self.modules:
            spec, own = SPECS[self.modules[name]], objects / name
            descriptor = (self.root / f"modules/{name}/{name}.yaml").read_bytes()
            recipe = b"".join(descriptor.partition(b"properties")[:1])
            source = self.root / f"modules/{name}/{name}.c"
            facts[f"generate:{name}"] = (descriptor,)
            facts[f"compile:{name}/{name}.o"] = (
                recipe, tools, digest_files([source]), *self._find_header(spec, name)
            )  # fmt: skip
            facts[f"compile:{name}/modbuild_ident.o"] = (recipe, tools)
            made = [own / f"{name}.o", own / "modbuild_ident.o"]
            facts[f"link:{name}"] = (tools, digest_files(made))
            judged = [self.root / "kernel.kmap"]
            for other in (name, *spec.requires):
                judged += (objects / other / f"{other}{end}" for end in (".kmod", ".plist"))
            facts[f"check:{name}"] = (recipe, digest_files(judged))
            results = [own / f"{name}{end}" for end in (".kmod", ".plist", ".verdict.json")]
            facts[f"install:{name}"] = (descriptor, digest_files(results))
        orders = [
            path for name in sorted(self.modules) for path in self._orders(objects / name, name)
        ]
        facts["metalog:METALOG"] = (tuple(sorted(self.modules)), digest_files(orders))
        return facts

    def _find_header(self, spec: Spec, module: str) -> tuple[object, ...]:
        """Give what is included; and whether a quoted name would be found beside the source.

        What the compiler tells leaves open whether a name was quoted, so that counts as a reason.
        """
        name = spec.header.strip('"<>')
        is_beside = self.path(f"modules/{module}/{name}").exists()
        paths = (self.path(f"modules/{place}/{name}") for place in spec.places)
        path = next(filter(Path.exists, paths))
        return is_beside, str(path), path.read_bytes()

    def _orders(self, directory: Path, name: str) -> list[Path]:
        return sorted(directory.glob(f"{name}.*.order.json"))

    def outputs(self) -> dict[str, list[Path]]:
        """Give the files that each step makes."""
        objects, outputs = self.root / "obj/amd64-x86_64", {}
        installed = [self.root / "destdir/METALOG"]
        for name in self.modules:
            own = objects / name
            plist = own / f"{name}.plist"
            is_there = b"properties" in (
                self.root / f"modules/{name}/{name}.yaml"
            ).read_bytes()  # fmt: skip
            plists = [plist] if is_there else []
            outputs[f"generate:{name}"] = [own / "modbuild_ident.S", *plists]
            outputs[f"compile:{name}/{name}.o"] = [own / f"{name}.o"]
            outputs[f"compile:{name}/modbuild_ident.o"] = [own / "modbuild_ident.o"]
            outputs[f"link:{name}"] = [own / f"{name}.kmod", own / f"{name}.kmod.map"]
            outputs[f"check:{name}"] = [own / f"{name}.verdict.json"]
            outputs[f"install:{name}"] = self._orders(own, name)
            place = self.root / "destdir" / MODULES_DIRECTORY / name
            installed += [place / f"{name}.kmod", *(place / path.name for path in plists)]
            installed += sorted(objects.glob(f"receipts/*/{name}.receipt.json"))
        return {**outputs, "metalog:METALOG": installed}

    def made(self) -> set[str]:
        """Name all that is below the object directory, but for what is known of it."""
        objects = self.root / "obj/amd64-x86_64"
        known = (".modbuild", "generations", "receipts")
        places = (path for path in objects.iterdir() if path.name not in known)
        return {
            str(path)
            for place in places
            for path in (place, *place.rglob("*"))
            if place.is_dir() or path != place
        }

    def makeable(self) -> set[str]:
        """Name what a build from scratch would have below the object directory."""
        paths = {path for paths in self.outputs().values() for path in paths}
        objects = self.root / "obj/amd64-x86_64"
        own = {path for path in paths if path.is_relative_to(objects)}
        places = {objects / name for name in self.modules}
        return {str(path) for path in own | places if "receipts" not in path.parts}


def make_model_tree() -> ModelTree:
    """Make the tree where syncing costs little, in a place of one name in each process."""
    memory = Path("/dev/shm")  # noqa: S108
    place = memory if os.access(memory, os.W_OK) else Path(tempfile.gettempdir())
    root = place / f"modbuild-model-{os.getpid()}"
    shutil.rmtree(root, ignore_errors=True)
    tree = ModelTree(root)
    (root / "kernels").mkdir(parents=True)
    for name, text in KERNELS.items():
        tree.write(f"kernels/{name}.nm", text)
        kernel = load_kernel(
            root / f"kernels/{name}.nm", "amd64", parse_version("10.99.12"), "x86_64"
        )
        save_kernel(kernel, root / f"kernels/{name}.kmap")
    tree.make()
    return tree


def read_tree(directory: Path) -> dict[str, bytes]:
    """Read every file below a directory; METALOG's lines are compared in no order."""
    found = {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and ".modbuild" not in path.parts
    }
    found["METALOG"] = b"\n".join(sorted(found.get("METALOG", b"").splitlines()))
    return found


def digest_files(paths: Iterable[Path]) -> bytes:
    """Digest names and contents; a file that is not there counts as such."""
    digest = hashlib.sha256()
    for path in paths:
        content = path.read_bytes() if path.is_file() else b"absent"
        digest.update(f"{path}\0{len(content)}\0".encode() + content)
    return digest.digest()


def digest_outputs(outputs: Mapping[str, Iterable[Path]]) -> dict[str, bytes]:
    """Digest what each step made."""
    return {name: digest_files(paths) for name, paths in outputs.items()}


@contextlib.contextmanager
def work_in_model_tree() -> Iterator[ModelTree]:
    """Make a tree, have the process work there, and take it away."""
    before = Path.cwd()
    tree = make_model_tree()
    os.chdir(tree.root)
    try:
        yield tree
    finally:
        os.chdir(before)
        shutil.rmtree(tree.root)


class TreeMachine(RuleBasedStateMachine):
    """A tree that random edits begin with anew; counted is what is told of all series."""

    tree: ClassVar[ModelTree]
    counted: ClassVar[dict[str, int]]

    def __init__(self) -> None:
        super().__init__()
        self.tree.make()


def run_edits(machine: type[RuleBasedStateMachine], number: int, examples: int, steps: int) -> None:
    """Try series of random edits; number is their seed, unless series were asked for."""
    if "MODBUILD_TEST_EXAMPLES" in os.environ:
        number = int(os.environ.get("MODBUILD_TEST_SEED", int.from_bytes(os.urandom(4))))
        print(f"MODBUILD_TEST_SEED={number}")
    few = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        phases=[Phase.generate],  # to shorten a failing series would take many minutes
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    run_state_machine_as_test(seed(number)(machine), settings=few)
