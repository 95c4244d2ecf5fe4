"""The verbs around sets: pack makes them, sets compares with distrib/sets' lists."""

import argparse
from pathlib import Path, PurePosixPath

from buildsys.base.digest import digest_file
from buildsys.base.epoch import read_time
from buildsys.base.errors import BuildsysError, ExitStatus
from buildsys.base.files import make_directory, read_whole, write_whole
from buildsys.base.wording import count, show_path
from buildsys.cli import Context
from buildsys.config import Config
from buildsys.metalog import MetalogLine, parse_metalog
from buildsys.pipeline.places import usual_place
from buildsys.pipeline.request import load_target
from buildsys.provenance.manifest import DIGESTS, MANIFEST, render_manifest
from buildsys.provenance.signing import parse_key, sign_file
from buildsys.sets.archive import render_digests, render_set
from buildsys.sets.lists import compare_lists, load_lists, spell_line, spell_obsolete
from buildsys.sets.members import choose_members
from buildsys.verbs.settings import read_config


def pack(arguments: argparse.Namespace, context: Context) -> ExitStatus:
    """Make the sets of what METALOG describes, with their SHA512 and MD5."""
    config = read_config(arguments, context)
    lines = _read_metalog(config)
    seconds = read_time(context.environment)
    output = Path(context.directory, arguments.output or config.sets)
    keys = [parse_key(text, context.directory) for text in arguments.sign]
    files: list[tuple[str, bytes]] = []
    packed: list[tuple[PurePosixPath, bytes]] = []
    for name, is_debug in (("modules", False), ("debug", True)):
        members = choose_members(lines, config.destdir, is_debug)
        if members:
            content = render_set(members, seconds, arguments.format)
            files.append((f"{name}.{arguments.format}", content))
            packed += [(m.path, digest_file(m.source)) for m in members if not m.is_directory]
            print(f"{name}.{arguments.format}: {count(len(members), 'member')}")
    if not files:
        raise BuildsysError("describes no module; install first", config.metalog)
    files.append((MANIFEST, render_manifest(packed)))
    make_directory(output)
    for name, content in files:
        write_whole(output / name, content, durable=True)
    for algorithm in ("MD5", "SHA512"):
        write_whole(output / algorithm, render_digests(files, algorithm), durable=True)
    for key in keys:
        print(f"signed: {show_path(sign_file(output / DIGESTS, key), context.directory)}")
    sets = count(len(files) - 1, "set")
    print(f"{show_path(output, context.directory)}: {sets}, {MANIFEST}, SHA512, MD5")
    return ExitStatus.DONE


def _read_metalog(config: Config) -> tuple[MetalogLine, ...]:
    if not config.metalog.exists():
        raise BuildsysError("there is no METALOG; install first", config.metalog)
    return parse_metalog(read_whole(config.metalog))


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
    listed = load_lists(
        Path(context.directory, arguments.against),
        machine.name,
        machine.arch,
        machine.cpu,
        variables,
    )
    there = [member.path for member in choose_members(_read_metalog(config), config.destdir)]
    comparison = compare_lists(there, listed, arguments.without)
    if comparison.unlisted:
        print(f"# installed and not listed ({len(comparison.unlisted)}); add to mi or md.*:")
        for path in comparison.unlisted:
            print(spell_line(path, place))
    if comparison.missing:
        print(f"# listed and not installed ({len(comparison.missing)}); where they went for good:")
        for entry in comparison.missing:
            print(f"{spell_obsolete(entry)}\t# {entry.list.name}:{entry.line}")
    for entry in comparison.obsolete:
        print(f"# {entry.list.name}:{entry.line}: obsolete, and installed: ./{entry.target}")
    if comparison.is_agreed:
        print(f"{count(len(there), 'path')}, all listed")
    return ExitStatus.DONE if comparison.is_agreed else ExitStatus.FINDINGS
