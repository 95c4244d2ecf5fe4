"""The processor families that NetBSD's in-kernel linker exists for, and the machines of each.

A machine (evbarm) may have kernels of several families; machine_arch (aarch64, earmv7hf) tells
them apart. Facts: sys/arch/*/include/elf_machdep.h (ELF32/64_MACHDEP_ID_CASES, KERN_ELFSIZE),
sys/arch/*/conf/std.* ('machine' lines) and sys/arch/*/include/vmparam.h (page sizes).
"""

from buildsys.base.value import frozen
from buildsys.elf.model import Layout


@frozen
class Port:
    """One family's kernels; is_little None means that both byte orders exist."""

    name: str
    elf_machines: tuple[int, ...]
    width_bits: int
    is_little: bool | None
    page_bytes: int

    def fits(self, layout: Layout) -> bool:
        """Tell whether a kernel of this family has files laid out so."""
        return layout.width_bits == self.width_bits and self.is_little in (None, layout.is_little)


PORTS: tuple[Port, ...] = (
    Port("amd64", (62,), 64, True, 4096),
    Port("i386", (3, 6), 32, True, 4096),
    Port("aarch64", (183,), 64, None, 4096),
    Port("arm", (40,), 32, None, 4096),
    Port("mips", (8,), 32, None, 4096),
    Port("mips64", (8,), 64, None, 4096),
    Port("powerpc", (20,), 32, False, 4096),
    Port("powerpc64", (21,), 64, False, 4096),
    Port("sparc", (2, 18), 32, False, 4096),
    Port("sparc64", (43,), 64, False, 8192),
    Port("riscv64", (243,), 64, True, 4096),
    Port("riscv32", (243,), 32, True, 4096),
    Port("alpha", (41, 36902), 64, True, 8192),
    Port("hppa", (15,), 32, False, 4096),
    Port("m68k", (4,), 32, False, 4096),
    Port("sh3", (42,), 32, None, 4096),
    Port("vax", (75,), 32, True, 4096),
    Port("ia64", (50,), 64, True, 16384),
    Port("or1k", (92,), 32, False, 8192),
)

_MACHINES: dict[str, str] = {
    "arm": "acorn32 cats epoc32 hpcarm iyonix netwinder shark zaurus",
    "aarch64 arm": "evbarm",
    "mips mips64": "algor evbmips sbmips sgimips",
    "mips": "mips-n32 arc cobalt emips ews4800mips hpcmips mipsco newsmips playstation2 pmax",
    "powerpc": "powerpc-booke amigappc bebox evbppc ibmnws mvmeppc ofppc prep rs6000 sandpoint",
    "powerpc powerpc64": "macppc",
    "m68k": "amiga atari cesfic hp300 luna68k mac68k mvme68k news68k next68k sun2 sun3 virt68k "
    "x68k",
    "sh3": "dreamcast evbsh3 hpcsh landisk mmeye",
    "riscv64 riscv32": "riscv",
    "amd64": "amd64",
    "i386": "i386",
    "sparc": "sparc",
    "sparc64": "sparc64",
    "alpha": "alpha",
    "hppa": "hppa",
    "vax": "vax",
    "ia64": "ia64",
    "or1k": "or1k",
}
_PORT_OF_NAME = {port.name: port for port in PORTS}
_PORTS_OF_MACHINE: dict[str, tuple[Port, ...]] = {
    machine: tuple(_PORT_OF_NAME[name] for name in names.split())
    for names, machines in _MACHINES.items()
    for machine in machines.split()
}
# What a kernel may call itself when it looks for modules, instead of its machine: module_machine
# in sys/arch/mips/mips/cpu_subr.c and sys/arch/evbppc/mpc85xx/machdep.c.
MODULE_MACHINES = frozenset({"mips-n32", "powerpc-booke"})
_OWN_MACHINE = {62: "amd64", 3: "i386", 43: "sparc64", 75: "vax", 50: "ia64", 15: "hppa"}


def find_ports(machine: str, machine_arch: str = "") -> tuple[Port, ...]:
    """Give the families that a machine's kernels may be of, one when machine_arch tells.

    An unknown machine has none.
    """
    ports = _PORTS_OF_MACHINE.get(machine, ())
    if len(ports) > 1 and machine_arch:
        chosen = tuple(port for port in ports if _is_arch_of(port, machine_arch))
        return chosen or ports
    return ports


def machine_of_elf(elf_machine: int) -> str:
    """Name the machine when the ELF machine number alone tells it; '' when it does not."""
    return _OWN_MACHINE.get(elf_machine, "")


def is_little_arch(machine_arch: str) -> bool | None:
    """Tell the byte order from a machine_arch that spells it; None when it does not."""
    if machine_arch.endswith(("eb", "_be")) or machine_arch.startswith(("armeb", "earmeb")):
        return False
    if machine_arch.startswith("earm") and "eb" in machine_arch[4:]:
        return False
    if machine_arch.startswith(("earm", "aarch64", "arm")) or machine_arch.endswith("el"):
        return True
    return None


def _is_arch_of(port: Port, machine_arch: str) -> bool:
    match port.name:
        case "aarch64" | "mips64" | "powerpc64" | "riscv64":
            return machine_arch.startswith(port.name)
        case "arm":
            return machine_arch.startswith(("earm", "arm"))
        case "mips" | "powerpc" | "riscv32":
            return machine_arch.startswith(port.name) and not machine_arch.startswith(
                ("mips64", "powerpc64")
            )
    return True
