"""A module's properties as the kernel reads them beside it: sys/kern/kern_module_vfs.c."""

from pathlib import Path

from buildsys.base.errors import BuildsysError
from buildsys.check.kobj import Halt, halt
from buildsys.elf.reader import read_image
from buildsys.plist import MAXIMUM_PLIST_BYTES, is_autoload_forbidden, parse_plist


def plist_target(target: str) -> str:
    """Name the plist of a kmod: .kmod gives way to .plist, anything else gets it appended."""
    if len(target) >= 6 and target.endswith(".kmod"):
        return target.removesuffix(".kmod") + ".plist"
    return f"{target}.plist"


def judge_plist(path: Path, target: str, is_autoload: bool, has_diagnostic: bool) -> Halt | None:
    """Refuse a plist that the kernel cannot read, or that forbids autoloading when it is one.

    target is the kmod as the target system has it. module_load_plist_vfs() asserts, after it has
    set the error, that there is none: a kernel with DIAGNOSTIC panics over a damaged plist.
    """
    try:
        image = bytes(read_image(path))
    except BuildsysError as error:
        return halt("plist-invalid", path, f"the plist cannot be read ({error})")
    if len(image) > MAXIMUM_PLIST_BYTES:
        return halt("plist-size", path, f"the plist has {len(image)} bytes, the kernel takes "
                    f"{MAXIMUM_PLIST_BYTES}")  # fmt: skip
    try:
        plist = parse_plist(image)
    except BuildsysError as error:
        rule_id = "plist-panic" if has_diagnostic else "plist-invalid"
        return halt(rule_id, path, f"expected a property list with a dictionary: {error}")
    if is_autoload and is_autoload_forbidden(plist):
        return halt("autoload-disallowed", path, "its plist says noautoload, so it is not loaded "
                    "for a module that requires it: load it first, by hand",
                    f"autoloading is disallowed for {target}")  # fmt: skip
    return None
