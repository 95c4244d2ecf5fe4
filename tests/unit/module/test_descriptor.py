"""Every key of a descriptor, and every wrong thing as file, line, key and what was expected."""

import os
import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from buildsys.base.errors import BuildsysError
from buildsys.module.descriptor import (
    find_descriptors,
    load_descriptor,
    load_descriptors,
)
from buildsys.module.model import Language, ModuleClass
from buildsys.module.schema import FIELDS, describe_schema

SAMPLES = Path(__file__).resolve().parents[3] / "modules"
VARIABLES = {"MACHINE": "amd64", "MACHINE_ARCH": "x86_64", "MACHINE_CPU": "amd64"}
WITH_TREE = {**VARIABLES, "S": "/tree/sys", "NETBSDSRCDIR": "/tree"}

FULL = """\
kmod: sample
class: driver
description: It samples
sources: [sample.c, sub/second.c, copy.S, "${S}/dev/third.c"]
requires: [first, second]
include: [., ../shared, "${S}/dev"]
defines: [PLAIN, VALUE=1, "CALL(x)=x", "MONEY=$$5", EMPTY=]
warnings: [-Wall]
cflags: [-O1, "-DWHERE=${MACHINE}"]
source_flags:
  second.c: [-fwrapv]
ioconf: sample.ioconf
properties: {name: text, count: -7, big: 0x1F, yes: true}
machines: [amd64, evbarm-aarch64]
ident_note: false
"""
SHORT = "class: misc\nsources: [x.c]\n"


def write(directory: Path, text: str | bytes, name: str = "sample") -> Path:
    path = directory / name / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_every_key_is_read(tmp_path: Path) -> None:
    module = load_descriptor(write(tmp_path, FULL), WITH_TREE)
    here = tmp_path / "sample"
    assert (module.name, module.kmod_class) == ("sample", ModuleClass.DRIVER)
    assert module.description == "It samples"
    assert [
        (str(unit.source), unit.object, unit.language, unit.flags) for unit in module.units
    ] == [
        (f"{here}/sample.c", "sample.o", Language.C, ()),
        (f"{here}/sub/second.c", "second.o", Language.C, ("-fwrapv",)),
        (f"{here}/copy.S", "copy.o", Language.ASSEMBLY, ()),
        ("/tree/sys/dev/third.c", "third.o", Language.C, ()),
    ]
    assert module.requires == ("first", "second")
    assert module.include_path == (here, tmp_path / "shared", Path("/tree/sys/dev"))
    assert module.cppflags == (
        "-DPLAIN", "-DVALUE=1", "-DCALL(x)=x", "-DMONEY=$5", "-DEMPTY=",
        f"-I{here}", f"-I{tmp_path}/shared", "-I/tree/sys/dev",
    )  # fmt: skip
    assert module.warnings == ("-Wall",)
    assert module.cflags == ("-O1", "-DWHERE=amd64")
    assert module.ioconf == here / "sample.ioconf"
    assert module.properties == (("big", 31), ("count", -7), ("name", "text"), ("yes", True))
    assert module.machines == ("amd64", "evbarm-aarch64")
    assert not module.has_ident_note


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    module = load_descriptor(write(tmp_path, SHORT), VARIABLES)
    assert module.name == "sample"
    assert module.warnings == ("-Wall", "-Wextra", "-Werror")
    assert (module.requires, module.cppflags, module.cflags, module.properties) == ((), (), (), ())
    assert (module.ioconf, module.machines, module.has_ident_note) == (None, (), True)
    assert module.is_for("sparc64", "sparc64")


def test_machines_are_machine_arch_or_both(tmp_path: Path) -> None:
    module = load_descriptor(write(tmp_path, SHORT + "machines: [evbarm-aarch64, i386]\n"), {})
    assert module.is_for("evbarm", "aarch64")
    assert module.is_for("i386", "i386")
    assert not module.is_for("evbarm", "earmv7hf")


WRONG = [
    # Each key with a value of a wrong type.
    ("kmod: [x]", 1, "kmod: expected a string, got a list"),
    ("kmod: 5", 1, r"kmod: expected a string \(quote it\), got 5"),
    ("kmod: a b", 1, "kmod: expected a name of 1 to 31 letters"),
    ("kmod: ''", 1, "kmod: expected a name"),
    (f"kmod: {'n' * 32}", 1, "kmod: expected a name of 1 to 31"),
    ("kmod: ../x", 1, "kmod: expected a name"),
    ("class: driverr", 1, "class: expected one of misc, vfs, driver, exec, secmodel, bufq, got"),
    ("class:", 1, "class: expected a string, got nothing"),
    ("description: [x]", 1, "description: expected a string, got a list"),
    ("sources: x.c", 1, "sources: expected a list of strings, got x.c"),
    ("sources: []", 1, "sources: expected at least one source file"),
    ("sources: [x.c, {a: b}]", 1, "sources: expected a string, got a mapping"),
    ("sources:\n- x.c\n- x.cc", 3, r"sources: expected a source file ending in \.c or \.S"),
    ("sources:\n- x.c\n- y/x.S", 3, r"sources: x\.o would also be made of .*/x\.c"),
    ("sources: ['']", 1, "sources: expected the name of a file"),
    ('sources: ["x\\0.c"]', 1, "sources: expected the name of a file"),
    ("sources: ['${S}/x.c']", 1, r"sources: \$\{S\} needs a NetBSD source tree; give one"),
    ("sources: ['${NETBSDSRCDIR}/x.c']", 1, r"sources: \$\{NETBSDSRCDIR\} needs"),
    ("sources: ['${X}/x.c']", 1, r"sources: \$\{X\} is not known here; known are MACHINE"),
    ("sources: ['$/x.c']", 1, r"sources: a lone \$ in '\$/x\.c'; write \$\$"),
    ("sources: [modbuild_ident.c]", 1, "sources: modbuild_ident.o is the version note's"),
    ("requires: base", 1, "requires: expected a list of strings, got base"),
    ("requires: [a, b, a]", 1, "requires: a stands twice"),
    ("requires: ['a b']", 1, "requires: expected a name"),
    ("include: {a: b}", 1, "include: expected a list of strings, got a mapping"),
    ("include: ['']", 1, "include: expected the name of a file or directory"),
    ("defines: [1A]", 1, "defines: expected NAME or NAME=VALUE, got 1A"),
    ("defines: ['-DX']", 1, "defines: expected NAME or NAME=VALUE, got -DX"),
    ("warnings: -Wall", 1, "warnings: expected a list of strings"),
    ("cflags: [[x]]", 1, "cflags: expected a string, got a list"),
    ("source_flags: [x]", 1, "source_flags: expected a mapping, got a list"),
    ("source_flags: {x.c: -O1}", 1, r"source_flags\.x\.c: expected a list of strings, got -O1"),
    ("source_flags: {y.c: [-O1]}", 1, r"source_flags\.y\.c: y\.c is not one of the sources"),
    ("ioconf: [x]", 1, "ioconf: expected a string"),
    ("properties: [x]", 1, "properties: expected a mapping, got a list"),
    ("properties: {a: 1.5}", 1, r"properties\.a: expected a string, a whole number, or true or"),
    ("properties: {a: [1]}", 1, r"properties\.a: expected a string"),
    ("properties: {'': 1}", 1, "properties.: a property needs a name"),
    ("properties:\n  a: 1\n  a: 2", 3, r"properties\.a: this key stands twice, first in line 2"),
    ("properties: {a: 99999999999999999999}", 1, "properties: .*64 bits"),
    ('properties: {a: "x\\0"}', 1, "properties: .*NUL byte"),
    ("machines: amd64", 1, "machines: expected a list of strings"),
    ("ident_note: 1", 1, "ident_note: expected true or false, got 1"),
    ("ident_note: !!bool maybe", 1, "ident_note: expected true or false, got maybe"),
    # Keys and files.
    ("klass: misc", 1, "klass: unknown key; expected one of kmod, class, description"),
    ("class: misc\nclass: misc", 2, "class: this key stands twice, first in line 1"),
    ("? [a]\n: b", 1, "expected a key that is a string, got a list"),
    ("description: &x text\nkmod: *x", 2, r"\*x: an alias is not read here; write it out"),
    ("properties:\n\ta: 1", 2, "not YAML: a tab where spaces are expected; indent with spaces"),
    ("description: 'open", None, "not YAML: "),
    ("a: b: c", 1, "not YAML: .*mapping values are not allowed"),
    ("--- {}\n--- {}", None, "not YAML: "),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "message"), WRONG)
def test_a_wrong_thing_is_refused_at_its_place(
    tmp_path: Path, text: str, line: int | None, message: str
) -> None:
    missing = [short for short in SHORT.splitlines() if short.partition(":")[0] + ":" not in text]
    path = write(tmp_path, "\n".join((text, *missing, "")))
    with pytest.raises(BuildsysError) as caught:
        load_descriptor(path, VARIABLES)
    where = re.escape(str(path)) + (rf":{line}: " if line is not None else r":\d+: ")
    assert re.match(where + message, str(caught.value)), str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty; expected a mapping of keys to values"),
        (b"# only a comment\n", "the file is empty"),
        (b"- a\n", r"1: expected a mapping of keys to values, got a list"),
        (b"text\n", r"1: expected a mapping of keys to values, got text"),
        (b"class: misc\n", "1: the key sources is missing"),
        (b"sources: [x.c]\n", "1: the key class is missing"),
        (b"\xff\xfe\x00", "not YAML: "),
        (b"class: m\xe4x\n", "1: not YAML: "),
        (bytes(range(256)), "not YAML: "),
        (b"class: misc\0", "not YAML: "),
        (b"[" * 10_000, "nest"),  # PyYAML or we: who counts first
        (b"a: " + b"x" * (1 << 20), "expected a YAML file of at most 1048576 bytes"),
    ],
)
def test_a_file_that_holds_something_else_is_refused(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = write(tmp_path, content)
    with pytest.raises(BuildsysError, match=rf"^{re.escape(str(path))}:.*{message}"):
        load_descriptor(path, VARIABLES)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildsysError, match=r"x\.yaml: cannot read: No such file"):
        load_descriptor(tmp_path / "x.yaml", VARIABLES)
    (tmp_path / "d").mkdir()
    with pytest.raises(BuildsysError, match="d: cannot read: Is a directory"):
        load_descriptor(tmp_path / "d", VARIABLES)


def test_a_directory_s_name_that_cannot_name_a_module_asks_for_kmod(tmp_path: Path) -> None:
    path = write(tmp_path, SHORT, "a b")
    with pytest.raises(BuildsysError, match="the directory's name 'a b' cannot name a module"):
        load_descriptor(path, VARIABLES)
    assert load_descriptor(write(tmp_path, "kmod: ab\n" + SHORT, "a b"), {}).name == "ab"


def test_two_descriptors_of_one_name_are_refused(tmp_path: Path) -> None:
    write(tmp_path, SHORT, "one")
    write(tmp_path, "kmod: one\n" + SHORT, "two")
    with pytest.raises(BuildsysError, match=r"two\.yaml: kmod: one is the name of another .*one\."):
        load_descriptors(tmp_path, VARIABLES)


def test_descriptors_are_found_by_the_names_of_their_directories(tmp_path: Path) -> None:
    for name in ("zebra", "ant"):
        write(tmp_path, SHORT, name)
    write(tmp_path, SHORT, "other").rename(tmp_path / "other/else.yaml")
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "known").symlink_to("ant")  # it holds ant.yaml, and no known.yaml
    assert [module.name for module in load_descriptors(tmp_path, VARIABLES)] == ["ant", "zebra"]
    assert find_descriptors(tmp_path / "ant") == (tmp_path / "ant/ant.yaml",)
    with pytest.raises(BuildsysError, match="nowhere: cannot read"):
        find_descriptors(tmp_path / "nowhere")


def test_a_link_in_a_path_is_not_taken_apart(tmp_path: Path) -> None:
    (tmp_path / "far/away").mkdir(parents=True)
    path = write(tmp_path, "class: misc\nsources: [link/../x.c, a/../y.c, ../sample/z.c]\n")
    (tmp_path / "sample/link").symlink_to(tmp_path / "far/away")
    units = load_descriptor(path, VARIABLES).units
    here = f"{tmp_path}/sample"
    names = [str(unit.source) for unit in units]
    # What is none yet may become one; only the way to the descriptor itself is shortened.
    assert names == [f"{here}/link/../x.c", f"{here}/a/../y.c", f"{here}/z.c"]


VALIDATOR = jsonschema.Draft202012Validator(describe_schema())


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*/*.yaml")), ids=lambda path: path.stem)
def test_the_schema_and_the_reader_take_every_sample(path: Path) -> None:
    VALIDATOR.validate(yaml.safe_load(path.read_text()))
    assert load_descriptor(path, VARIABLES).name == path.stem


def test_the_schema_is_one_and_takes_what_the_reader_takes() -> None:
    jsonschema.Draft202012Validator.check_schema(describe_schema())
    VALIDATOR.validate(yaml.safe_load(FULL))
    VALIDATOR.validate(yaml.safe_load(SHORT))
    assert set(FIELDS) >= set(yaml.safe_load(FULL))


# What JSON Schema cannot say: variables, files that belong together, YAML itself.
_BEYOND = re.compile(
    r"\$\{|lone|would also|not one of the sources|64 bits|NUL|twice, first|alias|not YAML|"
    r"version note|needs|NETBSD|properties\.: |maybe|key that is a string"
)


_SCHEMA_KNOWS = [
    text
    for text, _, message in WRONG
    if "\\0" not in text and not _BEYOND.search(message.replace("\\", ""))
]


@pytest.mark.parametrize("text", _SCHEMA_KNOWS)
def test_the_schema_refuses_what_the_reader_refuses(text: str) -> None:
    missing = [short for short in SHORT.splitlines() if short.partition(":")[0] + ":" not in text]
    document = yaml.safe_load("\n".join((text, *missing)))
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(document)


WORDS = st.sampled_from(
    ["A", "_b", "x.c", "y.S", "-O1", "@f", "${MACHINE}", "=1", "(x)", " ", "$$"]
)
TEXTS = st.one_of(st.lists(WORDS, max_size=3).map("".join), st.text(max_size=3))
LIKELY = st.fixed_dictionaries(
    {"class": st.just("misc"), "sources": st.just(["x.c"])},
    optional={
        "kmod": TEXTS,
        "requires": st.lists(TEXTS, max_size=2),
        "include": st.lists(TEXTS, max_size=2),
        "defines": st.lists(TEXTS, max_size=2),
        "warnings": st.lists(TEXTS, max_size=2),
        "cflags": st.lists(TEXTS, max_size=2),
        "source_flags": st.dictionaries(st.just("x.c"), st.lists(TEXTS, max_size=2), max_size=1),
        "properties": st.dictionaries(
            TEXTS, st.one_of(TEXTS, st.integers(), st.booleans()), max_size=2
        ),
        "machines": st.lists(TEXTS, max_size=2),
    },
)


@given(document=LIKELY)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_schema_takes_whatever_the_reader_takes(tmp_path: Path, document: object) -> None:
    path = write(tmp_path, yaml.safe_dump(document, allow_unicode=True))
    try:
        load_descriptor(path, VARIABLES)
    except BuildsysError:
        return
    VALIDATOR.validate(document)


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(),
    st.sampled_from(["x.c", "y.S", "misc", "${S}/z.c", "-O1", "NAME=1", "../a", "a.c"]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
DOCUMENTS = st.dictionaries(st.one_of(st.sampled_from(sorted(FIELDS)), st.text(max_size=4)), VALUES)
QUIET = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@given(document=DOCUMENTS)
@QUIET
def test_any_document_is_a_module_or_one_error(tmp_path: Path, document: object) -> None:
    path = write(tmp_path, yaml.safe_dump({**dict(document), "class": "misc"}, allow_unicode=True))
    try:
        load_descriptor(path, VARIABLES)
        message = f"{path}: none"
    except BuildsysError as error:
        message = str(error)
    assert message.startswith(f"{path}:")


@given(content=st.one_of(st.binary(max_size=200), st.text("class: [],{}\n\t-&*!|>'\"%@`#?.\0x$")))
@QUIET
def test_any_bytes_are_a_module_or_one_error(tmp_path: Path, content: bytes | str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(BuildsysError) as caught:
        load_descriptor(path, VARIABLES)
    assert str(caught.value).startswith(str(path))
    assert os.linesep not in str(caught.value).rstrip()
