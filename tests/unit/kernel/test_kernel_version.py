"""Kernel versions as sys/sys/param.h, sys/conf/osrelease.sh and module_compatible() have them."""

import pytest

from buildsys.base.errors import BuildsysError
from buildsys.kernel.model import split_required
from buildsys.kernel.port import find_ports, is_little_arch
from buildsys.kernel.version import KernelVersion, parse_version


@pytest.mark.parametrize(
    ("text", "number", "shown", "release"),
    [
        ("10.99.12", 1099001200, "10.99.12", "10.99.12"),
        ("1099001200", 1099001200, "10.99.12", "10.99.12"),
        ("10.1", 1001000000, "10.1", "10.1"),
        ("10.1_STABLE", 1001000000, "10.1", "10.1"),
        ("10.0_RC6", 1000000000, "10.0", "10.0"),
        ("7.0.2", 700000200, "7.0.2", "7.0"),
        ("7.99.10", 799001000, "7.99.10", "7.99.10"),
        ("9.99.100", None, "", ""),
        (" 9.3\n", 903000000, "9.3", "9.3"),
    ],
)
def test_versions_are_read_and_name_their_directory(
    text: str, number: int | None, shown: str, release: str
) -> None:
    if number is None:
        with pytest.raises(BuildsysError, match="expected a NetBSD version such as"):
            parse_version(text)
        return
    version = parse_version(text)
    assert (version.number, str(version), version.release) == (number, shown, release)


@pytest.mark.parametrize("text", ["", "10", "x.y", "0.9", "10.99.12.1", "12345678901", "99.1", "0"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(BuildsysError, match="expected a NetBSD version such as"):
        parse_version(text)


@pytest.mark.parametrize(
    ("kernel", "module", "is_accepted"),
    [
        (1099001200, 1099001200, True),
        (1099001200, 1099001100, False),
        (1099001200, 1099001201, False),
        (1001000000, 1001000000, True),
        (1001000000, 1001009999, True),
        (1001000000, 1001010000, False),
        (1001000200, 1001000000, True),
        (1001000000, 1000000000, False),
        (1001000000, -1, False),
    ],
)
def test_a_kernel_accepts_versions_as_module_compatible(
    kernel: int, module: int, is_accepted: bool
) -> None:
    assert KernelVersion(kernel).accepts(module) is is_accepted


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ()),
        ("a", ("a",)),
        ("a,b", ("a", "b")),
        (",a", ("a",)),
        ("a,", ("a",)),
        ("a,,b", ("a",)),
        (",,a", ()),
        ("a, b", ("a", " b")),
        (",", ()),
    ],
)
def test_requirements_are_cut_as_the_kernel_cuts_them(text: str, names: tuple[str, ...]) -> None:
    assert split_required(text) == names


@pytest.mark.parametrize(
    ("machine", "arch", "ports"),
    [
        ("amd64", "", ["amd64"]),
        ("evbarm", "", ["aarch64", "arm"]),
        ("evbarm", "aarch64", ["aarch64"]),
        ("evbarm", "earmv7hf", ["arm"]),
        ("evbmips", "mips64eb", ["mips64"]),
        ("evbmips", "mipsel", ["mips"]),
        ("macppc", "powerpc64", ["powerpc64"]),
        ("riscv", "riscv64", ["riscv64"]),
        ("mips-n32", "", ["mips"]),
        ("toaster", "", []),
    ],
)
def test_machine_and_architecture_tell_the_port(machine: str, arch: str, ports: list[str]) -> None:
    assert [port.name for port in find_ports(machine, arch)] == ports


@pytest.mark.parametrize(
    ("arch", "is_little"),
    [
        ("aarch64", True), ("aarch64eb", False), ("earmv7hf", True), ("earmv7hfeb", False),
        ("mipsel", True), ("mipseb", False), ("mips64el", True), ("x86_64", None), ("", None),
    ],
)  # fmt: skip
def test_the_architecture_tells_the_byte_order(arch: str, is_little: bool | None) -> None:
    assert is_little_arch(arch) is is_little
