"""Profiles of machines: toolchain/machine/MACHINE-ARCH.yaml to a Machine."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from buildsys.base.errors import UsageError
from buildsys.base.shipped import shipped_path
from buildsys.base.yamlfile import YamlMap, YamlValue, load_yaml
from buildsys.toolchain.model import (
    CompilerFamily,
    ElfKind,
    FlagGroup,
    FlagUse,
    GnuPrefix,
    Machine,
    ObjectLink,
)

_KEYS = (
    "machine", "machine_arch", "variant", "machine_cpu", "aliases", "default",
    "triple", "clang_target", "elf", "links", "module_directory",
    "flags", "gnu", "limits",
)  # fmt: skip
_USES = tuple(use.value for use in FlagUse)
_FAMILIES = tuple(family.value for family in CompilerFamily)


def load_machine(name: str, arch: str | None = None) -> Machine:
    """Load the profile that build.sh -m name -a arch means: MACHINE, an alias, MACHINE-ARCH."""
    paths = _profile_paths()
    named = [path for path in paths if path.stem == name or path.stem.startswith(f"{name}-")]
    # An alias stands inside its profile only, and an unknown name is answered with all known.
    return choose_machine(_read_machines(named or paths), name, arch)


def list_machines() -> tuple[Machine, ...]:
    """Load all profiles, in the order of their labels."""
    return _read_machines(_profile_paths())


def choose_machine(machines: Sequence[Machine], name: str, arch: str | None = None) -> Machine:
    """Choose as build.sh does: an alias or label names one, a bare MACHINE its default."""
    for machine in machines:
        is_named = name == machine.label or (name in machine.aliases and name != machine.name)
        if is_named and arch in (None, machine.arch):
            return machine
    same_name = [machine for machine in machines if machine.name == name and not machine.variant]
    if not same_name:
        labels = ", ".join(sorted({machine.name for machine in machines}))
        raise UsageError(f"machine {name} is not known; known are {labels}")
    arches = ", ".join(machine.arch for machine in same_name)
    if arch is not None:
        for machine in same_name:
            if machine.arch == arch:
                return machine
        raise UsageError(f"machine {name} has no architecture {arch} here; known are {arches}")
    if len(same_name) == 1:
        return same_name[0]
    for machine in same_name:
        if machine.is_default:
            return machine
    example = same_name[0]
    raise UsageError(
        f"machine {name} needs an architecture, one of {arches}: "
        f"-m {name} -a {example.arch}, or -m {example.label}"
    )


def load_flags(path: Path) -> tuple[FlagGroup, ...]:
    """Load the flags of every machine, a file with the one key flags."""
    table = load_yaml(path).as_map()
    table.refuse_unknown(("flags",))
    return table.require("flags", _read_flags)


def read_machine(path: Path, common: tuple[FlagGroup, ...] = ()) -> Machine:
    """Read one profile; the common flags go before its own."""
    table = load_yaml(path).as_map("a machine's profile")
    table.refuse_unknown(_KEYS)
    name = table.require("machine", YamlValue.as_string)
    arch = table.require("machine_arch", YamlValue.as_string)
    triple = table.require("triple", YamlValue.as_string)
    machine = Machine(
        name=name,
        arch=arch,
        variant=table.get("variant", YamlValue.as_string, ""),
        cpu=table.require("machine_cpu", YamlValue.as_string),
        aliases=table.get("aliases", YamlValue.as_strings, ()),
        is_default=table.get("default", YamlValue.as_boolean, False),
        triple=triple,
        clang_target=table.get("clang_target", YamlValue.as_string, triple),
        elf=table.require("elf", _read_elf),
        links=table.require("links", _read_links),
        module_directory=table.get("module_directory", YamlValue.as_string, name),
        flags=(*common, *table.get("flags", _read_flags, ())),
        gnu_prefixes=table.get("gnu", _read_gnu, ()),
        limits=table.get("limits", YamlValue.as_string, "").strip(),
    )
    if path.stem != machine.label:
        raise table.value.fail(f"expected the file name {machine.label}.yaml, got {path.name}")
    return machine


def _profile_paths() -> list[Path]:
    return sorted(shipped_path("toolchain/machine").glob("*.yaml"), key=lambda path: path.stem)


def _read_machines(paths: Sequence[Path]) -> tuple[Machine, ...]:
    common = load_flags(shipped_path("toolchain/flags.yaml"))
    return tuple(read_machine(path, common) for path in paths)


def _read_elf(value: YamlValue) -> ElfKind:
    table = value.as_map()
    table.refuse_unknown(("bits", "byte_order", "e_machine"))
    bits = table.require("bits", YamlValue.as_integer)
    if bits not in (32, 64):
        raise table.entries["bits"].expect("32 or 64")
    order = table.require("byte_order", lambda key: _read_choice(key, ("little", "big")))
    return ElfKind(bits, order == "big", table.require("e_machine", YamlValue.as_integer))


def _read_links(value: YamlValue) -> tuple[ObjectLink, ...]:
    table = value.as_map("a mapping of link names to directories below sys/")
    return tuple(
        ObjectLink(name, PurePosixPath(target.as_string()))
        for name, target in table.entries.items()
    )


def _read_flags(value: YamlValue) -> tuple[FlagGroup, ...]:
    return tuple(
        group
        for item in value.as_items("a list of flag groups")
        for group in _read_flag_group(item.as_map("a flag group (c, asm, cpp or link, and source)"))
    )


def _read_flag_group(table: YamlMap) -> list[FlagGroup]:
    table.refuse_unknown((*_USES, "compiler", "source"))
    source = table.require("source", YamlValue.as_string)
    name = table.get("compiler", lambda key: _read_choice(key, _FAMILIES), None)
    compiler = None if name is None else CompilerFamily(name)
    groups = [
        FlagGroup(use, table.entries[use.value].as_strings(), compiler, source)
        for use in FlagUse
        if use.value in table.entries
    ]
    if not groups:
        raise table.value.fail("expected flags under c, asm, cpp or link")
    return groups


def _read_gnu(value: YamlValue) -> tuple[GnuPrefix, ...]:
    prefixes = []
    for item in value.as_items("a list of GNU prefixes"):
        table = item.as_map("a GNU prefix (prefix, flags, ld_flags, foreign)")
        table.refuse_unknown(("prefix", "flags", "ld_flags", "foreign"))
        prefixes.append(
            GnuPrefix(
                table.require("prefix", YamlValue.as_string),
                table.get("flags", YamlValue.as_strings, ()),
                table.get("ld_flags", YamlValue.as_strings, ()),
                table.get("foreign", YamlValue.as_boolean, False),
            )
        )
    return tuple(prefixes)


def _read_choice(value: YamlValue, choices: tuple[str, ...]) -> str:
    text = value.as_string()
    if text not in choices:
        raise value.expect(f"one of {', '.join(choices)}")
    return text
