"""Explanations of undefined symbols and wrong versions, on real modules."""

from pathlib import Path
from typing import Any

import pytest

from buildsys.base.value import replace
from buildsys.check.check import check_set
from buildsys.check.explain import Grounds, explain_verdicts
from buildsys.check.kmodfile import KmodCache
from buildsys.check.verdict import Explanation
from buildsys.kconfig.language import KernelSources, read_kernel_sources
from buildsys.kernel.model import Kernel, SymbolMap
from buildsys.kernel.version import KernelVersion

USE = ".data\n.quad "


@pytest.fixture
def sources(tmp_path: Path) -> KernelSources:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/files").write_text("defflag LOUD\nfile loud.c loud\nfile plain.c\n")
    (tmp_path / "loud.c").write_text("int make_noise(void) { return 1; }\n")
    (tmp_path / "plain.c").write_text("int always_there = 1;\n")
    return read_kernel_sources(tmp_path, "amd64")


def explain(paths: list[Path], kernel: Kernel, **more: Any) -> dict[str, tuple[Explanation, ...]]:
    cache = KmodCache(kernel)
    verdicts = check_set(paths, kernel, cache)
    explained = explain_verdicts(verdicts, Grounds(kernel, cache, **more))
    return {verdict.name: verdict.explanations for verdict in explained}


def test_a_name_that_is_nearly_right_is_told(factory: Any, kernel: Kernel) -> None:
    path = factory.module(extra=f"{USE}kern_numbr")
    (found,) = explain([path], kernel)["sample"]
    assert (found.subject, found.nearest, found.advice) == ("kern_numbr", ("kern_number",), ())


def test_the_module_that_offers_a_name_is_told(factory: Any, kernel: Kernel) -> None:
    low = factory.module("low", extra=".globl offered\noffered: nop")
    high = factory.module("high", extra=f"{USE}offered")
    (found,) = explain([low, high], kernel)["high"]
    assert found.offered_by == ("low",)
    assert found.advice == ("require low in MODULE()",)


def test_the_source_and_its_option_are_told(
    factory: Any, kernel: Kernel, sources: KernelSources
) -> None:
    path = factory.module(extra=f"{USE}make_noise, always_there")
    noise, always = explain([path], kernel, sources=sources)["sample"]
    assert [(o.path, o.line, o.condition) for o in noise.origins] == [("loud.c", 1, "options LOUD")]
    assert noise.advice == ("build the kernel with options LOUD, or a module of loud.c",)
    assert always.origins[0].condition == ""
    assert "every kernel of these sources has it" in always.advice[0]


def test_what_is_required_and_built_in_without_a_name_is_not_advised_again(
    factory: Any, kernel: Kernel, sources: KernelSources
) -> None:
    ufs = factory.module("ufs", extra=".globl make_noise\nmake_noise: nop")
    user = factory.module("user", required="ufs", extra=f"{USE}make_noise")
    (found,) = explain([ufs, user], kernel, sources=sources)["user"]
    assert found.offered_by == ("ufs",)
    assert found.advice == ("build the kernel with options LOUD, or a module of loud.c",)


def test_the_newest_kernel_that_still_has_a_name_is_told(factory: Any, kernel: Kernel) -> None:
    old = [
        replace(kernel, version=KernelVersion(number), symbols=SymbolMap(frozenset(names)))
        for number, names in (
            (1099001000, {"retired"}), (1099001100, {"retired"}), (1099001150, {"other"}),
        )
    ]  # fmt: skip
    path = factory.module(extra=f"{USE}retired, never_was")
    retired, never = explain([path], kernel, old_kernels=tuple(old))["sample"]
    assert (retired.gone_from, never.gone_from) == ("amd64 10.99.11 (TEST)", "")


def test_a_wrong_version_is_sent_where_it_belongs(factory: Any, kernel: Kernel) -> None:
    (found,) = explain([factory.module(version=1099001100)], kernel)["sample"]
    assert "/stand/amd64/10.99.11/modules/sample" in found.advice[0]
    assert "modbuild install --release 10.99.12 sample" in found.advice[1]
    assert explain([factory.module()], kernel)["sample"] == ()
