"""Where modules go below DESTDIR, and what an installed file is; touches nothing."""

from pathlib import Path, PurePosixPath

from buildsys.base.errors import BuildsysError
from buildsys.base.value import frozen

FILE_MODE = 0o444  # share/mk/bsd.kmodule.mk, KMODULEMODE
DIRECTORY_MODE = 0o755
UNAME = "root"
GNAME = "wheel"
DEBUG_ROOT = PurePosixPath("usr/libdata/debug")  # share/mk/bsd.own.mk, DEBUGDIR
ROOT_OWNER = (0, 0)  # uid of root and gid of wheel on NetBSD


@frozen
class InstallPlace:
    """The tree that modules of one machine and one kernel version are installed in.

    machine is what uname -m says there (evbarm), module_machine the directory below stand/
    (KMODULEARCHDIR), release the kernel's version as kern.module.path spells it (10.99.12).
    is_privileged gives the files to root:wheel on disk too, and needs root. modules is a further
    directory in place of the usual one (KMODULEDIR), from the target's root.
    """

    destdir: Path
    machine: str
    module_machine: str
    release: str
    is_privileged: bool = False
    modules: PurePosixPath | None = None

    @property
    def target(self) -> PurePosixPath:
        """Give the modules directory as the target sees it, without the leading slash."""
        if self.modules is not None:
            return self.modules
        return module_target(self.module_machine, self.release)


@frozen
class InstalledFile:
    """One file as the target system will see it; target has no leading slash, size is bytes."""

    target: PurePosixPath
    mode: int  # 0o444, always written in octal
    size: int
    sha256: bytes  # 32 bytes
    uname: str = UNAME
    gname: str = GNAME


def module_target(module_machine: str, release: str) -> PurePosixPath:
    """Give stand/MACHINE/RELEASE/modules, what kern.module.path names on the target.

    sys/kern/kern_module.c, module_init() builds that path from MACHINE and the version.
    """
    check_component("machine", module_machine)
    check_component("release", release)
    return PurePosixPath("stand", module_machine, release, "modules")


def module_directory(destdir: Path, module_machine: str, release: str) -> Path:
    """Give the directory on this machine that holds a directory for each module."""
    return destdir / module_target(module_machine, release)


def kmod_target(directory: PurePosixPath, name: str) -> PurePosixPath:
    """Give NAME/NAME.kmod below a modules directory."""
    check_component("module name", name)
    return directory / f"{name}/{name}.kmod"


def plist_target(directory: PurePosixPath, name: str) -> PurePosixPath:
    """Give NAME/NAME.plist below a modules directory."""
    check_component("module name", name)
    return directory / f"{name}/{name}.plist"


def check_component(what: str, text: str) -> None:
    """Refuse a text that cannot be the name of one directory."""
    if text in ("", ".", "..") or "/" in text or "\0" in text:
        raise BuildsysError(f"{what} {text!r}: expected a name that a directory can have")
