"""What the makefiles of a source tree are evaluated with: the make, its variables, the machine."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from buildsys.base.digest import digest_file
from buildsys.base.value import frozen
from buildsys.toolchain.model import CompilerFamily, Toolchain

# Variables of the caller that NetBSD's makefiles read (mk.conf(5)) begin so; no other reaches
# them. snapshot.py has the same list, and a test holds the two together.
_PREFIXES = (
    "ACTIVE_", "AFLAGS", "BSDOBJDIR", "BSD_MK_COMPAT_FILE", "BUILDID", "CFLAGS", "COPTS",
    "CPPFLAGS", "CPUFLAGS", "CWARNFLAGS", "DBG", "DEBUGDIR", "EXTERNAL_TOOLCHAIN", "EXTSRC",
    "HAVE_", "KERNEL_", "KMODULE", "LDFLAGS", "MK", "NO", "USE_", "WARNS", "X11SRCDIR",
)  # fmt: skip
_KEPT = ("HOME", "PATH", "TMPDIR")
NO_TOOLDIR = "/nonexistent/tooldir"  # only flags are asked for: the tools are found by us


@frozen
class MakeSetup:
    """How make is called in every directory; objdir is an empty directory that stands for .OBJDIR.

    variables are those that decide the evaluation; source is the tree, NETBSDSRCDIR.
    """

    argv: tuple[str, ...]
    environment: dict[str, str]
    variables: tuple[tuple[str, str], ...]
    source: Path
    objdir: Path
    tool_digest: bytes

    @property
    def key(self) -> str:
        """Digest all that decides an evaluation beside the makefiles."""
        digest = hashlib.sha256(self.tool_digest)
        digest.update(repr((self.argv, sorted(self.environment.items()))).encode())
        return digest.hexdigest()


def is_make_variable(name: str) -> bool:
    """Tell whether a variable of the environment enters into the makefiles."""
    return name == "MAKECONF" or name.startswith(_PREFIXES)


def find_make_setup(
    toolchain: Toolchain,
    source: Path,
    objdir: Path,
    tooldir: Path | None,
    environment: Mapping[str, str],
) -> MakeSetup:
    """Choose make and its environment: TOOLDIR's own wrapper, or bmake with the tree's share/mk."""
    make = toolchain.require("make")
    variables = {name: value for name, value in environment.items() if is_make_variable(name)}
    machine = toolchain.machine
    variables |= {
        "MACHINE": machine.name,
        "MACHINE_ARCH": machine.arch,
        "MAKEOBJDIR": str(objdir),
        "NETBSDSRCDIR": str(source),
        "USETOOLS": "yes",
    }
    argv = make.argv
    if Path(argv[0]).name != f"nbmake-{machine.name}":
        argv = (*argv, "-m", str(source / "share/mk"))
        if toolchain.compiler is CompilerFamily.CLANG:
            variables = {"HAVE_LLVM": "yes", "MKLLVM": "yes", "MKGCC": "no"} | variables
    variables["TOOLDIR"] = str(tooldir or NO_TOOLDIR)
    kept = {name: environment[name] for name in _KEPT if name in environment}
    digests = b"".join(digest_file(path) for path in make.files)
    complete = kept | variables | {"LC_ALL": "C"}
    ordered = tuple(sorted(variables.items()))
    return MakeSetup(argv, complete, ordered, source, objdir, digests)
