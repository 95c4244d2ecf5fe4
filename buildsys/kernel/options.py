"""Which options a kernel was configured with, as far as it tells, and how that is known."""

from collections.abc import Mapping

from buildsys.base.value import frozen
from buildsys.kernel.configuration import read_options
from buildsys.kernel.model import Kernel

OPTION_PREFIX = "_KERNEL_OPT_"
# config(1), mkheaders.c: the values of _KERNEL_OPT_X when the option X is not defined, when it is
# obsolete, and when there is no such device.
UNDEFINED_VALUE = ord("n") << 24 | ord("t") << 12 | 0xDEF
_OFF_VALUES = frozenset({UNDEFINED_VALUE, 0xDEADBEEF, 0})
_WHOLE = "### START CONFIG FILE"  # INCLUDE_CONFIG_FILE; INCLUDE_JUST_CONFIG leaves includes out
# A global that exists under the option only, the first version in which it is always there, and
# its file: sys/kern/uipc_mbuf.c, sys/uvm/uvm_km.c, sys/kern/subr_lockdebug.c, sys/kern/kern_sdt.c,
# sys/kern/subr_asan.c, subr_csan.c, subr_msan.c.
_SIGNS = {
    "DIAGNOSTIC": ("m_verify_packet", 900000000),
    "DEBUG": ("uvm_km_check_empty", 600000000),
    "LOCKDEBUG": ("lockdebug_barrier", 500000000),
    "KDTRACE_HOOKS": ("sdt_probe_func", 600000000),
    "KASAN": ("kasan_init", 900000000),
    "KCSAN": ("kcsan_cpu_init", 1000000000),
    "KMSAN": ("kmsan_init", 1000000000),
}
# The options that change what modules and the kernel must agree on.
WATCHED = ("DEBUG", "DIAGNOSTIC", "KASAN", "KCSAN", "KDTRACE_HOOKS", "KMSAN", "LOCKDEBUG",
           "MULTIPROCESSOR")  # fmt: skip


@frozen
class KernelOption:
    """One option: whether it is on (None when that cannot be told), and how it is known."""

    name: str
    is_on: bool | None
    known_by: str


def find_option(kernel: Kernel, name: str) -> KernelOption:
    """Tell whether a kernel has an option, by its configuration, config(1)'s symbol or names."""
    configured = read_options(kernel.configuration)
    if name in configured:
        return KernelOption(name, True, "its configuration")
    if any(line.startswith(_WHOLE) for line in kernel.configuration):
        return KernelOption(name, False, "its configuration")
    symbols = kernel.symbols
    value = None if symbols is None else symbols.values.get(OPTION_PREFIX + name)
    if value is not None:
        return KernelOption(name, value not in _OFF_VALUES, f"the symbol {OPTION_PREFIX}{name}")
    sign, since = _SIGNS.get(name, ("", 0))
    if symbols is None or not sign:
        return KernelOption(name, None, "nothing")
    if sign in symbols.globals:
        return KernelOption(name, True, f"the symbol {sign}")
    is_off = False if kernel.version.number >= since else None
    return KernelOption(name, is_off, f"no symbol {sign}" if is_off is False else "nothing")


def list_options(kernel: Kernel) -> Mapping[str, str]:
    """Give every option that is known to be on, with its value: '' for a plain one.

    Known are those of the configuration, of config(1)'s symbols, and the watched ones.
    """
    options = dict(read_options(kernel.configuration))
    values = {} if kernel.symbols is None else kernel.symbols.values
    for symbol, value in values.items():
        if symbol.startswith(OPTION_PREFIX) and value not in _OFF_VALUES:
            options.setdefault(symbol.removeprefix(OPTION_PREFIX), "")
    for name in WATCHED:
        if find_option(kernel, name).is_on:
            options.setdefault(name, "")
    return options
