"""Kmods and the kernels that they are judged for, by name and by directory."""

from collections.abc import Callable
from pathlib import Path

import pytest

from buildsys.base.errors import BuildsysError
from buildsys.base.shipped import shipped_path
from buildsys.check.places import group_by_place, place_of
from buildsys.config import Config
from buildsys.kernel.load import save_kernel
from buildsys.kernel.model import Kernel, SymbolMap
from buildsys.kernel.version import KernelVersion
from buildsys.pipeline.settings import load_config
from buildsys.verbs.targets import plan_judging

CURRENT, RELEASE = KernelVersion(1099001200), KernelVersion(1001000000)
SHIPPED = shipped_path("toolchain/kernel") / "amd64-10.99.12-GENERIC.kmap.gz"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load_config({}, {}, tmp_path)


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    def write(machine: str, version: KernelVersion, name: str) -> Path:
        path = tmp_path / f"{machine}-{version}-{name}.kmap"
        names = SymbolMap(frozenset({"printf", "kobj_sym_lookup"}))
        save_kernel(Kernel(machine, version, name=name, symbols=names, builtins=()), path)
        return path

    return write


def kmod(place: str, name: str = "a") -> Path:
    return Path("/d/stand", place, "modules", name, f"{name}.kmod")


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/d/stand/amd64/10.99.12/modules/a/a.kmod", "stand/amd64/10.99.12/modules"),
        ("/stand/mips-n32/10.1/modules/a/a.kmod", "stand/mips-n32/10.1/modules"),
        ("/d/stand/pdp11/10.1/modules/a/a.kmod", None),
        ("/d/stand/amd64/current/modules/a/a.kmod", None),
        ("/d/stand/amd64/10.1/kmods/a/a.kmod", None),
        ("/obj/a/a.kmod", None),
        ("a.kmod", None),
    ],
)
def test_the_directory_tells_machine_and_version(path: str, target: str | None) -> None:
    place = place_of(Path(path))
    assert (None if place is None else place.target) == target


def test_kmods_are_sorted_by_their_directories() -> None:
    paths = [kmod("amd64/10.1"), kmod("i386/10.1"), kmod("amd64/10.1", "b")]
    groups = group_by_place(paths)
    assert list(groups.values()) == [(paths[0], paths[2]), (paths[1],)]


def test_one_directory_is_judged_for_each_kernel_that_is_named(
    config: Config, save: Callable[..., Path]
) -> None:
    kernels = (save("amd64", CURRENT, "GENERIC"), save("amd64", CURRENT, "XEN3"))
    kmods = (kmod("amd64/10.99.12"), kmod("amd64/10.99.12", "b"))
    plan = plan_judging(config, kernels, kmods)
    assert [judging.name for judging in plan] == [
        "amd64 10.99.12 (GENERIC)", "amd64 10.99.12 (XEN3)",
    ]  # fmt: skip
    assert all(judging.paths == kmods for judging in plan)


def test_kernels_of_one_name_are_told_apart(config: Config, save: Callable[..., Path]) -> None:
    path = save("amd64", CURRENT, "GENERIC")
    names = [judging.name for judging in plan_judging(config, (path, path), (Path("a.kmod"),))]
    assert names == ["amd64 10.99.12 (GENERIC)", "amd64 10.99.12 (GENERIC), no. 2"]


def test_several_directories_are_each_judged_for_their_own_kernel(
    config: Config, save: Callable[..., Path]
) -> None:
    own = save("i386", RELEASE, "GENERIC")
    kmods = (kmod("amd64/10.99.12"), kmod("i386/10.1"), kmod("sparc64/10.1"))
    plan = plan_judging(config, (own,), kmods)
    assert {judging.kernel.machine: judging.paths for judging in plan} == {
        "amd64": kmods[:1], "i386": kmods[1:2], "sparc64": kmods[2:],
    }  # fmt: skip
    assert [judging.kernel.symbols is not None for judging in plan] == [
        SHIPPED.exists(),
        True,
        False,
    ]


def test_a_kernel_that_nothing_was_installed_for_is_an_error(
    config: Config, save: Callable[..., Path]
) -> None:
    kmods = (kmod("amd64/10.99.12"), kmod("i386/10.1"))
    with pytest.raises(
        BuildsysError, match=r"none of the kmods lies in stand/evbarm/10\.1/modules"
    ):
        plan_judging(config, (save("evbarm", RELEASE, "GENERIC"),), kmods)
