"""The verbs around sets: pack makes them, sets compares with distrib/sets' lists."""

import argparse
from pathlib import Path

from buildsys.base.epoch import read_time
from buildsys.base.errors import ExitStatus
from buildsys.base.wording import count, show_path
from buildsys.cli import Context
from buildsys.pipeline.outputs import refuse_places
from buildsys.pipeline.packing import load_metalog, pack_tree
from buildsys.pipeline.places import usual_place
from buildsys.pipeline.target import load_target
from buildsys.provenance.keys import MANIFEST
from buildsys.provenance.signing import parse_key, refuse_missing_key
from buildsys.sets.lists import ListMachine, compare_lists, load_lists, spell_line, spell_obsolete
from buildsys.sets.members import choose_members
from buildsys.verbs.settings import read_config


def pack(arguments: argparse.Namespace, context: Context) -> ExitStatus:
    """Make the sets of what METALOG describes, with their SHA512 and MD5."""
    config = read_config(arguments, context)
    output = Path(context.directory, arguments.output or config.sets)
    refuse_places("--output", output, config)
    keys = [parse_key(text, context.directory) for text in arguments.sign]
    for key in keys:
        refuse_missing_key(key)
    packed = pack_tree(config, read_time(context.environment), output, arguments.format, keys)
    for name, members in packed.sets:
        print(f"{name}: {count(members, 'member')}")
    if packed.removed:
        print(f"removed, of former sets: {', '.join(packed.removed)}")
    for path in packed.signatures:
        print(f"signed: {show_path(path, context.directory)}")
    sets = count(len(packed.sets), "set")
    print(f"{show_path(output, context.directory)}: {sets}, {MANIFEST}, SHA512, MD5")
    return ExitStatus.DONE


def compare_sets(arguments: argparse.Namespace, context: Context) -> ExitStatus:
    """Say what checkflist would, as the lines that the lists need."""
    config = read_config(arguments, context)
    target = load_target(config)
    machine = target.machine
    place = usual_place(config, target).target
    variables = {
        "MACHINE": machine.name,
        "OSRELEASE": target.version.release,
        "MODULEDIR": str(place),
    }
    known = ListMachine(machine.name, machine.arch, machine.cpu)
    absent = [*arguments.without, *(() if known.has_compat_modules else ("compatmodules",))]
    listed = load_lists(
        Path(context.directory, arguments.against),
        known,
        variables,
    )
    there = [member.path for member in choose_members(load_metalog(config), config.destdir)]
    comparison = compare_lists(there, listed, absent)
    if comparison.unlisted:
        print(f"# installed and not listed ({len(comparison.unlisted)}); add to mi or md.*:")
        for path in comparison.unlisted:
            print(spell_line(path, place))
    if comparison.missing:
        print(f"# listed and not installed ({len(comparison.missing)}); where they went for good:")
        for entry in comparison.missing:
            if entry.is_repeated:
                line = f"{entry.list.name}:{entry.line}"
                print(f"# {line}: not in ./{entry.target}; nocompatmodules would leave that out")
                continue
            print(f"{spell_obsolete(entry)}\t# {entry.list.name}:{entry.line}")
    for entry in comparison.obsolete:
        print(f"# {entry.list.name}:{entry.line}: obsolete, and installed: ./{entry.target}")
    if comparison.is_agreed:
        print(f"{count(len(there), 'path')}, all listed")
    return ExitStatus.DONE if comparison.is_agreed else ExitStatus.FINDINGS
