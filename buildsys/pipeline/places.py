"""Where things of one machine lie, for verbs that need no toolchain and no module."""

import os
import zlib
from contextlib import AbstractContextManager
from pathlib import Path

from buildsys.base.locks import hold_lock
from buildsys.config import Config
from buildsys.install.installation import Installation
from buildsys.install.layout import InstallPlace
from buildsys.pipeline.objdir import RECORD_DIRECTORY
from buildsys.pipeline.target import Target


def machine_directory(config: Config, target: Target) -> Path:
    """Give the object directory of a machine: OBJDIR/amd64-x86_64."""
    return config.objdir / target.machine.label


def lock_machine(config: Config, target: Target, purpose: str) -> AbstractContextManager[None]:
    """Hold the object directory of a machine for a block; purpose is for who must wait."""
    path = machine_directory(config, target) / RECORD_DIRECTORY / "lock"
    return hold_lock(path, f"{purpose} {target.machine.label}")


def receipts_place(config: Config, target: Target) -> Path:
    """Give where the receipts of one DESTDIR and kernel version go."""
    mark = zlib.crc32(os.fsencode(config.destdir))
    release = target.version.release
    return machine_directory(config, target) / "receipts" / f"{release}-{mark:08x}"


def usual_place(config: Config, target: Target, is_privileged: bool = False) -> InstallPlace:
    """Give where modules of a machine and version are installed, if nothing says otherwise."""
    machine = target.machine
    return InstallPlace(
        config.destdir,
        machine.name,
        machine.module_directory,
        target.version.release,
        is_privileged,
    )


def installation_at(config: Config, target: Target, place: InstallPlace) -> Installation:
    """Say what is kept about the modules of a place, and where."""
    receipts = receipts_place(config, target)
    generations = machine_directory(config, target) / "generations" / receipts.name
    history = generations / "-".join(place.target.parts)
    return Installation(place, receipts, history, config.metalog)
