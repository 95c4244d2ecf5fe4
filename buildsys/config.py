"""What the user asked for: options over environment over modbuild.yaml over defaults."""

import os
from collections.abc import Mapping
from pathlib import Path

from buildsys.base.errors import UsageError
from buildsys.base.value import field_names, frozen
from buildsys.snapshot import plain_path

CONFIG_FILE = "modbuild.yaml"


@frozen
class Setting:
    """One thing that can be set: its key in the file (and option), NetBSD's variables for it."""

    key: str
    environment: tuple[str, ...]
    is_path: bool
    default: str
    text: str
    is_flag: bool = False  # yes or no; its option takes no word and means yes
    choices: tuple[str, ...] = ()  # the words it may have, if any; () for all


SETTINGS = (
    Setting("machine", ("MACHINE",), False, "amd64", "NetBSD's MACHINE, or MACHINE-MACHINE_ARCH"),
    Setting("machine_arch", ("MACHINE_ARCH",), False, "", "MACHINE_ARCH, where MACHINE has many"),
    Setting("toolchain", ("MODBUILD_TOOLCHAIN",), False, "", "zig, llvm, gnu or tooldir"),
    Setting("tooldir", ("TOOLDIR",), True, "", "what NetBSD's 'build.sh tools' made"),
    Setting(
        "launcher", ("MODBUILD_LAUNCHER",), False, "", "ccache, sccache, distcc or icecc",
        choices=("ccache", "sccache", "distcc", "icecc"),
    ),
    Setting("src", ("NETBSDSRCDIR",), True, "", "a NetBSD source tree, for its kernel headers"),
    Setting("kernel", ("MODBUILD_KERNEL",), True, "", "kernel, nm list or saved map to check with"),
    Setting(
        "drift", (), False, "warn",
        "when a kmod's kernel options (DIAGNOSTIC, LOCKDEBUG) are not the kernel's: warn, refuse"
        " or ignore", choices=("warn", "refuse", "ignore"),
    ),
    Setting("release", (), False, "", "version of the kernel, 10.99.12"),
    Setting("modules", (), True, "modules", "directory of module descriptors"),
    Setting("objdir", ("OBJDIR",), True, "obj", "where objects and the record of the build go"),
    Setting("destdir", ("DESTDIR",), True, "destdir", "root of the installed tree"),
    Setting("metalog", ("METALOG",), True, "", "METALOG; default: METALOG in the destdir"),
    Setting("sets", (), True, "sets", "where sets and their signed manifests are"),
    Setting(
        "require_signature", ("MODBUILD_REQUIRE_SIGNATURE",), False, "",
        "install only what these keys signed: KIND:KEYS, several with commas between",
    ),
    Setting(
        "reproducible", ("MKREPRO",), False, "no",
        "make bytes that depend on no directory and no time", is_flag=True,
    ),
)  # fmt: skip
_BY_KEY = {setting.key: setting for setting in SETTINGS}


@frozen
class Config:
    """Every setting, and where each was set (origins, by key: 'option', 'environment MACHINE', …).

    Paths are absolute; an empty string or None is 'not given'. file is the modbuild.yaml that was
    read, or would have been if there were one.
    """

    machine: str
    machine_arch: str
    toolchain: str
    tooldir: Path | None
    launcher: str
    src: Path | None
    kernel: Path | None
    drift: str
    release: str
    modules: Path
    objdir: Path
    destdir: Path
    metalog: Path
    sets: Path
    require_signature: str
    reproducible: bool
    file: Path
    origins: tuple[tuple[str, str], ...]


def resolve_config(
    options: Mapping[str, str],
    environment: Mapping[str, str],
    file_values: Mapping[str, str],
    directory: Path,
    file: Path | None,
) -> Config:
    """Choose each setting: options, then environment, then the file, then the default.

    options and file_values hold strings by key. Relative paths of the file are relative to the
    file, all others to directory.
    """
    values: dict[str, str] = {}
    origins: dict[str, str] = {}
    for setting in SETTINGS:
        value, origin, base = _choose(setting, options, environment, file_values, directory, file)
        choices = ("yes", "no") if setting.is_flag else setting.choices
        if value and choices and value not in choices:
            place = {"option": f"--{setting.key}", str(file): f"{file}: {setting.key}"}.get(origin)
            raise UsageError(f"{place or origin}: expected {' or '.join(choices)}, got {value!r}")
        if value and setting.is_path:
            value = plain_path(os.path.join(base, os.path.expanduser(value)))
        values[setting.key], origins[setting.key] = value, origin
    if origins["objdir"] == "default" and environment.get("MAKEOBJDIRPREFIX"):
        # share/mk/bsd.own.mk: the prefix goes before the whole path of the current directory.
        values["objdir"] = plain_path(environment["MAKEOBJDIRPREFIX"] + str(directory))
        origins["objdir"] = "environment MAKEOBJDIRPREFIX"
    if not values["metalog"]:
        values["metalog"] = str(Path(values["destdir"]) / "METALOG")
    return _make_config(values, file or directory / CONFIG_FILE, tuple(origins.items()))


def _choose(
    setting: Setting,
    options: Mapping[str, str],
    environment: Mapping[str, str],
    file_values: Mapping[str, str],
    directory: Path,
    file: Path | None,
) -> tuple[str, str, Path]:
    if setting.key in options:
        if not options[setting.key]:
            raise UsageError(f"--{setting.key.replace('_', '-')}: expected a value, got nothing")
        return options[setting.key], "option", directory
    for name in setting.environment:
        if environment.get(name):
            return environment[name], f"environment {name}", directory
    if file is not None and setting.key in file_values:
        return file_values[setting.key], str(file), file.parent
    return setting.default, "default", directory


def _make_config(
    values: dict[str, str], file: Path, origins: tuple[tuple[str, str], ...]
) -> Config:
    def path(key: str) -> Path | None:
        return Path(values[key]) if values[key] else None

    return Config(
        machine=values["machine"],
        machine_arch=values["machine_arch"],
        toolchain=values["toolchain"],
        tooldir=path("tooldir"),
        launcher=values["launcher"],
        src=path("src"),
        kernel=path("kernel"),
        drift=values["drift"],
        release=values["release"],
        modules=Path(values["modules"]),
        objdir=Path(values["objdir"]),
        destdir=Path(values["destdir"]),
        metalog=Path(values["metalog"]),
        sets=Path(values["sets"]),
        require_signature=values["require_signature"],
        reproducible=values["reproducible"] == "yes",
        file=file,
        origins=origins,
    )


def describe_config(config: Config) -> tuple[tuple[str, str, str], ...]:
    """Give key, value and origin of every setting, for people."""
    origins = dict(config.origins)
    rows = []
    for name in field_names(config):
        if name in _BY_KEY:
            held = getattr(config, name)
            text = ("no", "yes")[held] if isinstance(held, bool) else str(held or "")
            rows.append((name, text, origins[name]))
    return tuple(rows)
