"""The options of the verbs around releases; the others are in cli.py."""

import argparse
from collections.abc import Callable
from pathlib import Path


def add_rollback(parser: argparse.ArgumentParser) -> None:
    """Add what 'rollback' takes."""
    parser.add_argument("--list", action="store_true", help="list the former generations")
    parser.add_argument("--to", type=int, metavar="N", help="generation; default: the latest")


def add_prune(parser: argparse.ArgumentParser) -> None:
    """Add what 'prune' takes."""
    parser.add_argument(
        "--keep", type=_natural, default=1, metavar="N", help="generations to keep; default: 1"
    )


def add_verify(parser: argparse.ArgumentParser) -> None:
    """Add what 'verify' takes."""
    parser.add_argument(
        "tree", nargs="?", type=Path, metavar="DESTDIR", help="root of the tree to verify"
    )
    parser.add_argument("--owners", action="store_true", help="root:wheel must be on disk, too")
    parser.add_argument(
        "--signed-by", action="append", default=[], metavar="KIND:KEYS",
        help="each file must be in a manifest signed by a trusted key: ssh:ALLOWED_SIGNERS,"
        " gpg:KEYRING, signify:PUBKEY, minisign:PUBKEY; may be repeated",
    )  # fmt: skip


def add_pack(parser: argparse.ArgumentParser) -> None:
    """Add what 'pack' takes."""
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR",
        help="directory for the sets; default: sets",
    )  # fmt: skip
    parser.add_argument(
        "--format", choices=("tgz", "tar.xz"), default="tgz", help="form; default: tgz"
    )
    parser.add_argument(
        "--sign", action="append", default=[], metavar="KIND:KEY",
        help="sign the digests: ssh:KEYFILE, gpg:KEYNAME, signify:SECKEY, minisign:SECKEY;"
        " may be repeated",
    )  # fmt: skip


def add_provenance(parser: argparse.ArgumentParser) -> None:
    """Add what 'provenance' takes."""
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR",
        help="directory for the documents; default: sets",
    )  # fmt: skip


def add_sets(parser: argparse.ArgumentParser) -> None:
    """Add what 'sets' takes."""
    parser.add_argument(
        "--against", type=Path, required=True, metavar="LISTS", help="distrib/sets/lists/modules"
    )
    parser.add_argument(
        "--without", action="append", default=[], metavar="KEYWORD",
        help="a keyword of the lists that does not hold here (zfs); may be repeated",
    )  # fmt: skip


def add_report(parser: argparse.ArgumentParser) -> None:
    """Add what every verb takes that can report."""
    parser.add_argument(
        "--report", action="append", default=[], metavar="FORM=FILE",
        help="write a report: text, json, junit, sarif or html, '-' for standard output; several"
        " with commas between (junit=a.xml,html=a.html); may be repeated",
    )  # fmt: skip


def add_explain(parser: argparse.ArgumentParser) -> None:
    """Add what verbs take that show findings."""
    parser.add_argument(
        "--explain", action="store_true",
        help="add to each rule the kernel function that decides and how to mend it; 'check' also"
        " tells what is known of each undefined symbol",
    )  # fmt: skip


def add_cache(parser: argparse.ArgumentParser) -> None:
    """Add what verbs take whose answers are remembered."""
    parser.add_argument(
        "--no-cache", action="store_true",
        help="neither use nor leave a remembered answer (MODBUILD_CACHE, XDG_CACHE_HOME)",
    )  # fmt: skip


def add_schema(parser: argparse.ArgumentParser) -> None:
    """Add what 'schema' takes."""
    parser.add_argument(
        "which", nargs="?", choices=("descriptor", "report"), default="descriptor",
        help="of which document; default: descriptor",
    )  # fmt: skip


def add_plan(parser: argparse.ArgumentParser) -> None:
    """Add what 'plan' takes."""
    for option, name in (("--from", "old"), ("--to", "new")):
        parser.add_argument(
            option, dest=name, type=Path, required=True, metavar="KERNEL",
            help=f"the {name} kernel: an image, nm text or a saved map",
        )  # fmt: skip


def add_release(parser: argparse.ArgumentParser) -> None:
    """Add what 'release' takes; the last three are for the processes that it starts."""
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("release"), metavar="DIR",
        help="directory for TARGET/destdir, TARGET/METALOG and TARGET/sets; default: release",
    )  # fmt: skip
    parser.add_argument(
        "--format", choices=("tgz", "tar.xz"), default="tgz", help="form of sets; default: tgz"
    )
    parser.add_argument(
        "--sign", action="append", default=[], metavar="KIND:KEY",
        help="sign each target's digests, as with 'pack'; may be repeated",
    )  # fmt: skip
    parser.add_argument("--outcome", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--target-name", default="", help=argparse.SUPPRESS)
    parser.add_argument(
        "--one-of-several", dest="is_one_of_several", action="store_true", help=argparse.SUPPRESS
    )


def add_reproduce(parser: argparse.ArgumentParser) -> None:
    """Add what 'reproduce' takes."""
    parser.add_argument(
        "-j", "--jobs", type=_natural, metavar="N", help="commands at a time in the second build"
    )
    parser.add_argument(
        "--in-place", action="store_true", help="build both times from the sources where they are"
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="build below DIR, and keep both results"
    )


def add_check(parser: argparse.ArgumentParser) -> None:
    """Add what 'check' takes."""
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="kmods, or directories of them"
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="status 2 unless every kmod loads: also for what is unknown, or built in",
    )
    parser.add_argument(
        "--root-fs", metavar="NAME",
        help="say whether the kernel can mount a root of this file system (ffs): built in, or"
        " handed over by the boot loader",
    )  # fmt: skip
    parser.add_argument(
        "--boot-cfg", metavar="FILE", help="with --root-fs: the boot.cfg of the boot loader"
    )
    parser.add_argument(
        "--old-kernel", action="append", default=[], metavar="FILE",
        help="with --explain: an earlier kernel, to tell since when a symbol is gone; may be"
        " repeated",
    )  # fmt: skip


def add_kernel(parser: argparse.ArgumentParser) -> None:
    """Add what 'kernel' takes."""
    parser.add_argument(
        "action", nargs="?", choices=("show", "save", "diff"), default="show",
        help="show [KERNEL]; save [KERNEL] FILE; diff OLD NEW [DIRECTORY or kmod…], which also"
        " judges the kmods (default: those in DESTDIR) with both; default: show",
    )  # fmt: skip
    parser.add_argument("operands", nargs="*", metavar="FILE", help="as above")
    parser.add_argument(
        "--builtins", type=Path, metavar="FILE",
        help="JSON list of the built-in modules, for nm text, which cannot tell them",
    )  # fmt: skip
    parser.add_argument("--name", default="", help="name of the kernel, for nm text: GENERIC")


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a number from 0, got {text!r}")
    return int(text)


GROUPS: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "rollback": add_rollback,
    "prune": add_prune,
    "verify": add_verify,
    "pack": add_pack,
    "sets": add_sets,
    "report": add_report,
    "explain": add_explain,
    "kernel": add_kernel,
    "check": add_check,
    "schema": add_schema,
    "cache": add_cache,
    "provenance": add_provenance,
    "plan": add_plan,
    "release": add_release,
    "reproduce": add_reproduce,
}
