"""Which relocation types each port's kobj_reloc() takes, as data.

Read from sys/arch/*/*/kobj_machdep.c of NetBSD 10.99.12; numbers from the ports'
sys/arch/*/include/elf_machdep.h. ia64 and or1k have no kobj_machdep.c in that tree, so their
modules' relocations cannot be judged.
"""

import enum

from buildsys.base.value import frozen


class RelHandling(enum.Enum):
    """What a port does with a relocation without addend (SHT_REL)."""

    TAKEN = "taken"
    REFUSED = "refused"
    PANICS = "panics"


@frozen
class RelocationRules:
    """A port's acceptance table.

    symbolic types look their symbol up, which must succeed; plain ones are done without; what is
    in neither is refused. With has_free_lookup a failed lookup is not noticed by the port.
    unsafe types are taken by reading past the port's own tables.
    """

    source: str
    symbolic: frozenset[int]
    plain: frozenset[int] = frozenset({0})
    rel: RelHandling = RelHandling.REFUSED
    has_free_lookup: bool = False
    unsafe: frozenset[int] = frozenset()
    is_none_taken_as_rel: bool = False
    message: str = "kobj_reloc: unexpected relocation type {kind}"

    def has_type(self, kind: int) -> bool:
        """Tell whether the port's switch has a case for this type."""
        return kind in self.symbolic or kind in self.plain or kind in self.unsafe


def _range(first: int, last: int, *without: int) -> frozenset[int]:
    return frozenset(range(first, last + 1)) - frozenset(without)


_SPARC_PLAIN = frozenset({0, 13, 14, 15, 18, 22})  # NONE, GOT10/13/22, WPLT30, RELATIVE
_SPARC64_PLAIN = _SPARC_PLAIN | _range(24, 29) | {47}  # and PLT32 … PCPLT10, PLT64
_PPC = frozenset({1, 3, 4, 5, 6, 26, 249, 250, 251, 252})
_RISCV = (
    frozenset({16, 17, 18, 19, 23, 24, 25, 26, 27, 28, 33, 34, 35, 37, 38, 39, 44, 45})
    | _range(52, 57)
)  # fmt: skip
_RISCV_MESSAGE = "kobj_reloc: unexpected relocation type {kind}"

RELOCATION_RULES: dict[str, RelocationRules] = {
    # NONE, RELATIVE; 64, PC32, PLT32, GLOB_DAT, JUMP_SLOT, 32, 32S
    "amd64": RelocationRules(
        "sys/arch/amd64/amd64/kobj_machdep.c", frozenset({1, 2, 4, 6, 7, 10, 11}),
        frozenset({0, 8}), RelHandling.TAKEN,
    ),
    # NONE, RELATIVE; 32, PC32, GLOB_DAT. PLT32 is not among them
    "i386": RelocationRules(
        "sys/arch/i386/i386/kobj_machdep.c", frozenset({1, 2, 6}),
        frozenset({0, 8}), RelHandling.TAKEN,
    ),
    # NONE (both numbers); ABS64/32/16, PREL64/32/16, ADR_PREL_PG_HI21(_NC), ADD_ABS_LO12_NC,
    # LDST8/16/32/64_ABS_LO12_NC, JUMP26, CALL26. LDST128 and the short branches are not
    "aarch64": RelocationRules(
        "sys/arch/aarch64/aarch64/kobj_machdep.c",
        _range(257, 262) | {275, 276, 277, 278, 282, 283, 284, 285, 286},
        frozenset({0, 256}), message="kobj_reloc: unsupported relocation type {kind}",
    ),
    # NONE, V4BX, RELATIVE; PC24, ABS32, REL32, JUMP_SLOT, CALL, JUMP24, MOVW_ABS_NC, MOVT_ABS.
    # PREL31 is computed and then refused all the same
    "arm": RelocationRules(
        "sys/arch/arm/arm32/kobj_machdep.c", frozenset({1, 2, 3, 22, 28, 29, 43, 44}),
        frozenset({0, 40, 23}), RelHandling.TAKEN,
        message="kobj_reloc: unexpected/invalid relocation type {kind}",
    ),
    # NONE; 32, 26, HI16, LO16
    "mips": RelocationRules(
        "sys/arch/mips/mips/kobj_machdep.c", frozenset({2, 4, 5, 6}),
        message="kobj_reloc: unknown reloc type {kind}",
    ),
    # and 64, HIGHER, HIGHEST; composite types are none of these
    "mips64": RelocationRules(
        "sys/arch/mips/mips/kobj_machdep.c", frozenset({2, 4, 5, 6, 18, 28, 29}),
        message="kobj_reloc: unknown reloc type {kind}",
    ),
    # NONE, RELATIVE; ADDR32, ADDR16(_LO, _HI, _HA), REL32, REL16(_LO, _HI, _HA). REL24 is not
    "powerpc": RelocationRules(
        "sys/arch/powerpc/powerpc/kobj_machdep.c", _PPC, frozenset({0, 22}), RelHandling.PANICS,
    ),
    "powerpc64": RelocationRules(
        "sys/arch/powerpc/powerpc/kobj_machdep.c", _PPC | {38}, frozenset({0, 22}),
        RelHandling.PANICS,
    ),
    # up to R_SPARC_6 but JMP_SLOT and COPY; the port's table ends at UA32
    "sparc": RelocationRules(
        "sys/arch/sparc/sparc/kobj_machdep.c", _range(1, 23, 19, 21) - _SPARC_PLAIN,
        _SPARC_PLAIN, unsafe=_range(24, 45), is_none_taken_as_rel=True,
        message="kobj_reloc: unexpected reloc type {kind}",
    ),
    # up to REGISTER but JMP_SLOT, COPY and the unaligned UA32; UA64, UA16 neither
    "sparc64": RelocationRules(
        "sys/arch/sparc64/sparc64/kobj_machdep.c",
        _range(1, 53, 19, 21, 23) - _SPARC64_PLAIN, _SPARC64_PLAIN, message="",
    ),
    # NONE, RELAX; no 32, ALIGN or RVC_LUI
    "riscv64": RelocationRules(
        "sys/arch/riscv/riscv/kobj_machdep.c", _RISCV | {2, 36, 40}, frozenset({0, 51}),
        RelHandling.PANICS, message=_RISCV_MESSAGE,
    ),
    "riscv32": RelocationRules(
        "sys/arch/riscv/riscv/kobj_machdep.c", _RISCV, frozenset({0, 51}),
        RelHandling.PANICS, message=_RISCV_MESSAGE,
    ),
    # NONE, RELATIVE; REFQUAD, GLOB_DAT, JMP_SLOT
    "alpha": RelocationRules(
        "sys/arch/alpha/alpha/kobj_machdep.c", frozenset({2, 25, 26}), frozenset({0, 27}),
        RelHandling.TAKEN,
    ),
    # NONE; DIR32, DIR21L, DIR17R, DIR14R, PCREL32, PCREL17F, DPREL21L, DPREL14R, SEGREL32, PLABEL32
    "hppa": RelocationRules(
        "sys/arch/hppa/hppa/kobj_machdep.c", frozenset({1, 2, 3, 6, 9, 12, 18, 22, 49, 65}),
        has_free_lookup=True,
    ),
    # NONE, RELATIVE; 32, PC32, GLOB_DAT
    "m68k": RelocationRules(
        "sys/arch/m68k/m68k/kobj_machdep.c", frozenset({1, 4, 20}), frozenset({0, 22}),
    ),
    # NONE; DIR32, REL32
    "sh3": RelocationRules(
        "sys/arch/sh3/sh3/kobj_machdep.c", frozenset({1, 2}),
        message="kobj_reloc: unexpected reloc type {kind}",
    ),
    # 32, PC32; not even NONE
    "vax": RelocationRules(
        "sys/arch/vax/vax/kobj_machdep.c", frozenset({1, 4}), frozenset(),
        message="Bad relocation {kind}",
    ),
}  # fmt: skip


def effective_type(port: str, kind: int) -> int:
    """Give the type that the port's switch sees: sparc64 drops what rides on OLO10."""
    return 33 if port == "sparc64" and kind & 0xFF == 33 else kind
