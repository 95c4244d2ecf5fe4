"""What was found out about one kmod, and the right to install it."""

import enum
from pathlib import Path

from buildsys.base.digest import digest_file
from buildsys.base.errors import BuildsysError
from buildsys.base.value import frozen


class Severity(enum.Enum):
    """How much a finding weighs; the kernel would refuse the module only for an ERROR."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"  # what could not be checked, and why


class Outcome(enum.Enum):
    """What modload(8) would come to."""

    LOADS = "loads"
    REFUSED = "refused"
    PANICS = "panics"
    UNKNOWN = "unknown"  # decided at run time, or the kernel's symbols are not known


@frozen
class Finding:
    """One thing found in a kmod.

    rule is a stable identifier (undefined-symbol); errno is the kernel's number or 0; source is
    the kernel file and function that decides (sys/kern/subr_kobj.c, kobj_checksyms), '' if none;
    kernel_message is what the kernel would print, '' if nothing; subject is the symbol or module
    that the finding is about, '' where it is the file as a whole.
    """

    rule: str
    severity: Severity
    path: Path
    message: str
    errno: int = 0
    source: str = ""
    kernel_message: str = ""
    subject: str = ""


@frozen
class Origin:
    """A source file that defines a name, found by reading text, so it is probable, not certain.

    path is relative to the tree's sys/ (dev/usb/usbdi.c), line counts from 1; condition is what a
    kernel configuration must name to bring the file in ('usb', 'ffs & !wapbl', '' for always).
    """

    path: str
    line: int
    condition: str = ""


@frozen
class Explanation:
    """Why a finding arose and how to mend it, for 'check --explain'; subject is its symbol.

    nearest are names that exist and look alike, the closest first; offered_by are modules at hand
    that define the name and are not required; gone_from names the older kernel that still has it,
    '' when none does or none was given; advice are whole sentences.
    """

    rule: str
    subject: str
    nearest: tuple[str, ...] = ()
    offered_by: tuple[str, ...] = ()
    origins: tuple[Origin, ...] = ()
    gone_from: str = ""
    advice: tuple[str, ...] = ()


@frozen
class ApprovedKmod:
    """The right to install one kmod; only Verdict.approve makes one."""

    name: str
    path: Path
    digest: bytes  # SHA-256 of the judged bytes, 32 bytes


@frozen
class Verdict:
    """The judgement over the bytes of one kmod; digest is their SHA-256 (32 bytes).

    inputs are the files that it rests on besides the kernel: the kmod itself, those of the modules
    it pulls in, and their plists, in the order of their use. requires are the names in MODULE();
    closure names the modules that are loaded from files with it, in the order in which they come
    into the kernel (it stands last itself), and is empty when it does not load.
    """

    name: str
    path: Path
    digest: bytes
    kernel: str  # what it was judged against, for people: 'amd64 10.99.12 (GENERIC)'
    outcome: Outcome
    findings: tuple[Finding, ...]
    inputs: tuple[Path, ...] = ()
    requires: tuple[str, ...] = ()
    closure: tuple[str, ...] = ()
    explanations: tuple[Explanation, ...] = ()
    built_with: tuple[str, ...] | None = None  # kernel options; None when that is not known

    @property
    def errno(self) -> int:
        """Give the number that modload(8) would report, 0 when it would report none."""
        return next((finding.errno for finding in self.findings if finding.errno), 0)

    @property
    def is_fit(self) -> bool:
        """Tell whether nothing stands against installing.

        A module that this kernel has built in already is refused by it, and yet fit: the finding
        that says so is a warning, and any other refusal or panic comes with an error.
        """
        return not any(finding.severity is Severity.ERROR for finding in self.findings)

    def approve(self) -> ApprovedKmod:
        """Give the right to install; raises when the module is unfit or its bytes changed."""
        if not self.is_fit:
            raise BuildsysError("the module did not pass its check; it is not installed", self.path)
        if digest_file(self.path) != self.digest:
            raise BuildsysError("the file changed after its check; build again", self.path)
        return ApprovedKmod(self.name, self.path, self.digest)
