"""Options of a kernel, from its configuration, from config(1)'s symbols, and from names."""

from collections.abc import Callable
from pathlib import Path

import pytest

from buildsys.base.value import replace
from buildsys.kernel.configuration import find_configuration, read_options
from buildsys.kernel.difference import compare_kernels
from buildsys.kernel.load import load_kernel, save_kernel
from buildsys.kernel.model import BuiltinModule, Kernel, SymbolMap
from buildsys.kernel.options import UNDEFINED_VALUE, find_option, list_options
from buildsys.kernel.version import KernelVersion

CURRENT = KernelVersion(1099001200)
LINES = (
    '### START CONFIG FILE \\"MINE\\"', "###> options\\^ILOCKDEBUG, HZ=100\\^I# fast",
    'options\\^IDEFCORENAME=\\"a,b\\"', "options DEBUG", "no options DEBUG", "pseudo-device loop",
)  # fmt: skip
CARRIED = "static const char config[] __attribute__((used)) =\n" + "".join(
    f'"_CFG_{line.replace(chr(92) + "^", chr(92) * 2 + "^")}\\n"\n' for line in LINES
)


def bare(**values: int) -> Kernel:
    return Kernel("amd64", CURRENT, symbols=SymbolMap(frozenset(values), values=values))


def test_the_configuration_in_an_image_is_found_and_saved(
    build_kernel: Callable[..., Path], tmp_path: Path
) -> None:
    kernel = load_kernel(build_kernel(extra=CARRIED + ";\n"))
    assert kernel.configuration[1] == "options\tLOCKDEBUG, HZ=100\t# fast"
    assert read_options(kernel.configuration) == {
        "LOCKDEBUG": "", "HZ": "100", "DEFCORENAME": "a,b",
    }  # fmt: skip
    path = tmp_path / "saved.kmap"
    save_kernel(kernel, path)
    assert load_kernel(path).configuration == kernel.configuration
    assert load_kernel(build_kernel()).configuration == ()


def test_what_vis_spelled_comes_back() -> None:
    image = b"_CFG_a\\\\b\\^Ic\\040d\\M-i\n\0_CFG_unended"
    assert find_configuration(image) == ("a\\b\tc d\xe9",)


@pytest.mark.parametrize(
    ("kernel", "name", "is_on", "known_by"),
    [
        (replace(bare(), configuration=("options DEBUG",)), "DEBUG", True, "its configuration"),
        (replace(bare(), configuration=("### START CONFIG FILE",)), "DEBUG", False,
         "its configuration"),
        (replace(bare(), configuration=("options HZ=9",)), "DEBUG", False,
         "no symbol uvm_km_check_empty"),
        (bare(_KERNEL_OPT_LOCKDEBUG=1), "LOCKDEBUG", True, "the symbol _KERNEL_OPT_LOCKDEBUG"),
        (bare(_KERNEL_OPT_LOCKDEBUG=UNDEFINED_VALUE), "LOCKDEBUG", False,
         "the symbol _KERNEL_OPT_LOCKDEBUG"),
        (bare(m_verify_packet=5), "DIAGNOSTIC", True, "the symbol m_verify_packet"),
        (bare(), "DIAGNOSTIC", False, "no symbol m_verify_packet"),
        (replace(bare(), version=KernelVersion(700000000)), "DIAGNOSTIC", None, "nothing"),
        (bare(), "MULTIPROCESSOR", None, "nothing"),
        (Kernel("amd64", CURRENT), "DEBUG", None, "nothing"),
    ],
)  # fmt: skip
def test_an_option_is_told_with_how_it_is_known(
    kernel: Kernel, name: str, is_on: bool | None, known_by: str
) -> None:
    option = find_option(kernel, name)
    assert (option.is_on, option.known_by) == (is_on, known_by)


def test_two_kernels_differ_in_names_modules_and_options() -> None:
    old = replace(
        bare(a=1, b=2, _KERNEL_OPT_X=UNDEFINED_VALUE), builtins=(BuiltinModule("m", 1, 1),)
    )
    new = replace(bare(b=3, c=4, _KERNEL_OPT_X=1), builtins=(BuiltinModule("n", 1, 1),))
    difference = compare_kernels(old, new)
    assert difference.globals is not None
    assert difference.builtins is not None
    assert (difference.globals.appeared, difference.globals.vanished) == (("c",), ("a",))
    assert (difference.builtins.appeared, difference.builtins.vanished) == (("n",), ("m",))
    assert (difference.options.appeared, difference.options.vanished) == (("X",), ())
    assert not difference.is_equal
    assert compare_kernels(old, old).is_equal
    assert compare_kernels(old, Kernel("amd64", CURRENT)).globals is None
    assert list_options(replace(new, configuration=("options HZ=9",))) == {"HZ": "9", "X": ""}
