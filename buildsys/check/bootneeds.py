"""Which modules a system needs to come up, by its own boot.cfg, etc/fstab and etc/modules.conf."""

from collections.abc import Collection, Iterator
from pathlib import Path

from buildsys.base.errors import BuildsysError, os_error_text
from buildsys.check.bootcfg import parse_boot_cfg
from buildsys.check.needed import Need, Requirements, close_over_requirements

_FSTAB_FIELDS = 4  # device, directory, type, options: fstab(5)


def find_boot_needs(
    destdir: Path, going: Collection[str], requires: Requirements, builtins: Collection[str] = ()
) -> tuple[Need, ...]:
    """Say which modules that are to go are needed when the system below destdir starts.

    What its kernel has built in is not needed as a file; a file of settings that is not there
    asks for nothing.
    """
    wanted: dict[str, str] = {}
    for name, reason in (
        *_read_boot_cfg(destdir), *_read_fstab(destdir), *_read_modules_conf(destdir),
    ):  # fmt: skip
        for one in sorted(close_over_requirements([name], requires, builtins)):
            told = reason if one == name else f"{reason} (through {name})"
            wanted.setdefault(one, told)
    return tuple(Need(name, wanted[name]) for name in sorted(going) if name in wanted)


def _read_boot_cfg(destdir: Path) -> Iterator[tuple[str, str]]:
    configuration = parse_boot_cfg(_read(destdir / "boot.cfg").encode("utf-8", "surrogateescape"))
    for word in configuration.loaded_by_default:
        yield word.rpartition("/")[2].removesuffix(".kmod"), "boot.cfg hands it to the kernel"


def _read_fstab(destdir: Path) -> Iterator[tuple[str, str]]:
    """Give the types of file systems that are mounted at the start.

    sys/kern/vfs_syscalls.c, mount_get_vfsops() loads the module that has the type's name.
    """
    for number, words in _lines(destdir / "etc/fstab"):
        if len(words) < _FSTAB_FIELDS or "noauto" in words[3].split(","):
            continue
        if words[2] not in ("swap", "ignore"):
            what = "its root" if words[1] == "/" else words[1]
            yield words[2], f"etc/fstab:{number} mounts {what} with it"


def _read_modules_conf(destdir: Path) -> Iterator[tuple[str, str]]:
    """Give what etc/rc.d/modules loads: the first word of each line of modules.conf(5)."""
    for number, words in _lines(destdir / "etc/modules.conf"):
        name = words[0].rpartition("/")[2].removesuffix(".kmod")
        yield name, f"etc/modules.conf:{number} loads it at the start"


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(_read(path).split("\n"), 1):
        words = line.partition("#")[0].split()
        if words:
            yield number, words


def _read(path: Path) -> str:
    if not path.is_file():
        return ""  # a pipe would be waited for
    try:
        return path.read_text("utf-8", "surrogateescape")
    except OSError as error:
        raise BuildsysError(f"cannot read: {os_error_text(error)}", path) from error
