"""The kernel interface of our own against the facts of 10.99.12, on every machine they are of.

tests/data/abi holds what the headers of NetBSD-current 10.99.12 say: for each machine the sizes,
offsets and constants, and once the types of functions and fields. A file of a machine also names
the target and the ABI flags that its values hold for.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
import ziglang

REPOSITORY = Path(__file__).parents[2]
INTERFACE = REPOSITORY / "toolchain" / "kernel" / "include"
MODULES = REPOSITORY / "modules"
ABI = REPOSITORY / "tests" / "data" / "abi"
COMMON = ABI / "every-machine.json"
MACHINES = sorted(path for path in ABI.glob("*.json") if path != COMMON)
HEADERS = sorted(str(path.relative_to(INTERFACE)) for path in INTERFACE.rglob("*.h"))

CLANG = (str(Path(ziglang.__file__).parent / "zig"), "clang")
# fmt: off
FLAGS = (
    "-std=gnu99", "-O2", "-ffreestanding", "-nostdinc", "-fno-strict-aliasing",
    "-fno-color-diagnostics", "-ferror-limit=0", "-D_KERNEL", "-D_MODULE",
    "-DSYSCTL_INCLUDE_DESCR", "-isystem", str(INTERFACE),
)
# fmt: on

# Room that the interface keeps for what it does not tell; the sizes around it are in the facts.
UNTOLD_FIELDS = {
    "callout": {"co_room"},
    "kcondvar": {"cv_room"},
    "kmutex": {"mtx_owner_word"},
    "sysctlnode": {"sysctl_reserved", "sysctl_value"},
}
# Parts of macros that are no constants of their own; their users are.
UNTOLD_MACROS = {
    "KAUTH_SCOPE_PROCESS", "KAUTH_SCOPE_SYSTEM", "NULL", "SYSCTLFN_ARGS", "SYSCTLFN_PROTO",
    "__unused", "__used", "bool", "nodiscard", "noioctl", "nokqfilter", "nopoll", "nostop",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Facts:
    """What the kernel's own headers say for one machine."""

    target: str
    flags: tuple[str, ...]
    values: dict[str, int]  # a constant expression to its value
    types: dict[str, str]  # a function, variable or field to its type, as C writes it


def read_facts(machine: Path) -> Facts:
    """Read a machine's facts together with those of every machine."""
    common = json.loads(COMMON.read_text(encoding="utf-8"))
    own = json.loads(machine.read_text(encoding="utf-8"))
    assert common["format"] == own["format"] == 1
    return Facts(
        own["target"], tuple(own["flags"]), common["values"] | own["values"], common["types"]
    )


def run_clang(facts: Facts, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    argv = (*CLANG, "-target", facts.target, *FLAGS, *facts.flags, *arguments)
    return subprocess.run(argv, input=text, capture_output=True, text=True, timeout=300)


def include(headers: list[str]) -> str:
    return "".join(f"#include <{header}>\n" for header in headers)


def render_assertions(facts: Facts) -> Iterator[tuple[str, str]]:
    """Give one assertion in C for each fact, which names it when it fails."""
    for expression, value in facts.values.items():
        yield f"(long long)({expression}) == {value}LL", f"{expression} is {value}"
    for name, c_type in facts.types.items():
        same = f"__builtin_types_compatible_p(__typeof__({name}), __typeof__({c_type}))"
        yield same, f"{name} is {c_type}"


@pytest.mark.parametrize("machine", MACHINES, ids=lambda path: path.stem)
def test_every_fact_of_the_kernels_headers_holds_for_ours(machine: Path) -> None:
    facts = read_facts(machine)
    assertions = [
        f'_Static_assert({condition}, "{message}");'
        for condition, message in render_assertions(facts)
    ]
    result = run_clang(
        facts, "-fsyntax-only", "-x", "c", "-", text=include(HEADERS) + "\n".join(assertions)
    )
    errors = re.findall(r"error: (.*)", result.stderr)
    assert errors == []
    assert result.returncode == 0
    assert len(assertions) > 1000


def test_every_machine_with_a_profile_has_facts() -> None:
    profiles = {path.stem for path in (REPOSITORY / "toolchain" / "machine").glob("*.yaml")}
    assert profiles
    assert profiles - {path.stem for path in MACHINES} == set()


def test_a_wrong_fact_is_noticed() -> None:
    facts = read_facts(ABI / "amd64-x86_64.json")
    wrong = Facts(facts.target, facts.flags, {"sizeof(struct vnode)": 1}, {"hz": "long"})
    text = include(HEADERS) + "\n".join(
        f'_Static_assert({condition}, "{message}");'
        for condition, message in render_assertions(wrong)
    )
    errors = re.findall(
        r"error: (.*)", run_clang(facts, "-fsyntax-only", "-xc", "-", text=text).stderr
    )
    assert len(errors) == 2


@pytest.mark.parametrize("machine", MACHINES, ids=lambda path: path.stem)
@pytest.mark.parametrize("define", ["-DDIAGNOSTIC", "-UDIAGNOSTIC"])
def test_every_sample_compiles_without_a_warning(machine: Path, define: str) -> None:
    descriptors = sorted(MODULES.glob("*/*.yaml"))
    sources: list[str] = []
    include_path: list[str] = []
    for path in descriptors:
        descriptor = yaml.safe_load(path.read_text(encoding="utf-8"))
        sources += [str(path.parent / name) for name in descriptor["sources"]]
        include_path += [f"-I{path.parent / name}" for name in descriptor.get("include", ())]
    assert len(descriptors) >= 8
    in_c = [name for name in sources if name.endswith(".c")]
    warnings = ("-Wall", "-Wextra", "-Werror")
    result = run_clang(
        read_facts(machine), "-fsyntax-only", define, *warnings, *include_path, *in_c
    )
    assert result.stderr == ""
    assert result.returncode == 0


@pytest.mark.parametrize("machine", MACHINES, ids=lambda path: path.stem)
def test_every_assembly_source_assembles(machine: Path, tmp_path: Path) -> None:
    sources = sorted(MODULES.glob("*/*.S"))
    assert sources
    for source in sources:
        output = tmp_path / f"{source.stem}.o"
        result = run_clang(read_facts(machine), "-c", str(source), "-o", str(output))
        assert result.stderr == ""
        assert output.stat().st_size > 0


def test_every_header_can_be_included_alone_and_twice() -> None:
    facts = read_facts(ABI / "amd64-x86_64.json")
    strict = ("-Wall", "-Wextra", "-Werror", "-Wsystem-headers")
    for header in HEADERS:
        result = run_clang(
            facts, "-fsyntax-only", *strict, "-x", "c", "-", text=include([header, header])
        )
        assert result.stderr == "", header


def dump_declarations() -> list[dict[str, object]]:
    """List what the interface declares, as clang understands it, for amd64."""
    facts = read_facts(ABI / "amd64-x86_64.json")
    result = run_clang(
        facts, "-fsyntax-only", "-Xclang", "-ast-dump=json", "-xc", "-", text=include(HEADERS)
    )
    declarations: list[dict[str, object]] = json.loads(result.stdout)["inner"]
    return [each for each in declarations if not each.get("isImplicit")]


def list_inner(declaration: dict[str, object], kind: str) -> list[str]:
    inner = declaration.get("inner", [])
    assert isinstance(inner, list)
    return [each["name"] for each in inner if each["kind"] == kind and each.get("name")]


def test_every_function_variable_and_field_of_the_interface_is_in_the_facts() -> None:
    facts = read_facts(ABI / "amd64-x86_64.json")
    unknown: list[str] = []
    for declaration in dump_declarations():
        name = str(declaration.get("name", ""))
        if declaration["kind"] in {"FunctionDecl", "VarDecl"} and name not in facts.types:
            unknown.append(name)
        if declaration["kind"] == "EnumDecl":
            unknown += [
                each
                for each in list_inner(declaration, "EnumConstantDecl")
                if each not in facts.values
            ]
        if declaration["kind"] == "RecordDecl" and name:
            unknown += [
                f"{name}.{field}"
                for field in list_inner(declaration, "FieldDecl")
                if field not in UNTOLD_FIELDS.get(name, set())
                and f"offsetof(struct {name}, {field})" not in facts.values
            ]
    assert unknown == []


def test_every_constant_of_the_interface_is_in_the_facts() -> None:
    facts = read_facts(ABI / "amd64-x86_64.json")
    own = run_clang(facts, "-E", "-dM", "-x", "c", "-", text=include(HEADERS)).stdout
    compilers = run_clang(facts, "-E", "-dM", "-x", "c", "-").stdout
    macros = {
        match[1]
        for line in set(own.splitlines()) - set(compilers.splitlines())
        if (match := re.fullmatch(r"#define (\w+) .+", line))
    }
    assert sorted(macros - set(facts.values) - UNTOLD_MACROS) == []
    assert "__NetBSD_Version__" in macros
    assert facts.values["__NetBSD_Version__"] == 1099001200


def test_the_interface_declares_no_function_that_no_sample_needs() -> None:
    samples = "".join(path.read_text(encoding="utf-8") for path in MODULES.rglob("*.[ch]"))
    headers = "".join((INTERFACE / name).read_text(encoding="utf-8") for name in HEADERS)
    needless = [
        str(each["name"])
        for each in dump_declarations()
        if each["kind"] == "FunctionDecl"
        and not re.search(rf"\b{each['name']}\b", samples)
        and len(re.findall(rf"\b{each['name']}\b", headers)) < 2
    ]
    assert needless == []


def test_the_samples_show_every_class_but_one_and_modules_that_require_others() -> None:
    descriptors = [
        yaml.safe_load(path.read_text(encoding="utf-8")) for path in MODULES.glob("*/*.yaml")
    ]
    assert {each["class"] for each in descriptors} == {"misc", "vfs", "driver", "exec", "secmodel"}
    assert any(each.get("requires") for each in descriptors)
    assert any(each.get("properties") for each in descriptors)
    assert any(name.endswith(".S") for each in descriptors for name in each["sources"])
