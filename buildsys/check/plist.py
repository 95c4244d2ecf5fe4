"""A module's properties as the kernel reads them beside it: sys/kern/kern_module_vfs.c."""

import plistlib
from pathlib import Path
from typing import Any

from buildsys.base.errors import BuildsysError
from buildsys.check.kobj import Halt, halt
from buildsys.elf.reader import read_image

_MAXIMUM_BYTES = 8190  # module_load_plist_vfs(): 8192 less the ending NUL, and one more


def plist_target(target: str) -> str:
    """Name the plist of a kmod: .kmod gives way to .plist, anything else gets it appended."""
    if len(target) >= 6 and target.endswith(".kmod"):
        return target.removesuffix(".kmod") + ".plist"
    return f"{target}.plist"


def judge_plist(path: Path, target: str, is_autoload: bool) -> Halt | None:
    """Refuse a plist that the kernel cannot read, or that forbids autoloading when it is one.

    target is the kmod as the target system has it.
    """
    try:
        image = bytes(read_image(path))
    except BuildsysError as error:
        return halt("plist-invalid", path, f"the plist cannot be read ({error})")
    if len(image) > _MAXIMUM_BYTES:
        return halt("plist-size", path, f"the plist has {len(image)} bytes, the kernel takes "
                    f"{_MAXIMUM_BYTES}")  # fmt: skip
    properties = _parse(image)
    if not isinstance(properties, dict):
        return halt("plist-invalid", path, "expected a property list with a dictionary")
    if is_autoload and properties.get("noautoload") is True:
        return halt("autoload-disallowed", path, "its plist says noautoload, so it is not loaded "
                    "for a module that requires it: load it first, by hand",
                    f"autoloading is disallowed for {target}")  # fmt: skip
    return None


def _parse(image: bytes) -> Any:
    try:
        return plistlib.loads(image, fmt=plistlib.FMT_XML)
    except Exception:  # plistlib lets through what the XML parser and the values raise
        return None
