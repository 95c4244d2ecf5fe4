"""Sequences of loads and unloads on the state of a kernel."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from buildsys.base.errors import BuildsysError
from buildsys.base.value import replace
from buildsys.check.check import check_kmod, check_set
from buildsys.check.loaded import LoadResult
from buildsys.check.loader import LoaderState
from buildsys.check.verdict import Outcome, Verdict
from buildsys.kernel.model import Kernel
from buildsys.kernel.version import KernelVersion

USE = ".data\n.quad "
GLOBAL = ".globl {0}\n{0}: .byte 1\n"


@pytest.fixture
def start(factory: Any, kernel: Kernel) -> Callable[..., LoaderState]:
    """Give a state whose modules directory holds modules, each spelled by its changes."""

    def make(
        on: Kernel = kernel, plists: dict[str, bytes] | None = None, **modules: dict[str, Any]
    ) -> LoaderState:
        directory = on.modules_directory
        files = {}
        for name, changes in modules.items():
            path = factory.module(name, **changes)
            files[f"{directory}/{name}/{name}.kmod"] = path
            if plists is not None and name in plists:
                plist = path.with_suffix(".plist")
                plist.write_bytes(plists[name])
                files[f"{directory}/{name}/{name}.plist"] = plist
        return LoaderState(on, files.get)

    return make


def rules_of(result: LoadResult | Verdict) -> list[str]:
    return [finding.rule for finding in result.findings]


def test_a_requirement_is_loaded_first_and_kept(start: Callable[..., LoaderState]) -> None:
    state = start(low={}, high={"required": "low"})
    assert state.load("high").outcome is Outcome.LOADS
    assert state.loaded_names() == ("low", "high")
    busy = state.unload("low")
    assert (rules_of(busy), busy.errno) == (["still-required"], 16)
    assert state.unload("high").outcome is Outcome.LOADS
    assert state.unload("low").outcome is Outcome.LOADS
    gone = state.unload("low")
    assert (rules_of(gone), gone.errno) == (["not-loaded"], 2)


def test_a_module_is_loaded_once(start: Callable[..., LoaderState]) -> None:
    state = start(low={})
    state.load("low")
    again = state.load("low")
    assert (rules_of(again), again.errno) == (["already-loaded"], 17)
    by_path = state.load(f"{state.kernel.modules_directory}/low/low.kmod")
    assert (rules_of(by_path), by_path.errno) == (["already-loaded"], 17)
    assert state.load("ffs").errno == 17


def test_a_class_that_was_asked_for_must_match(start: Callable[..., LoaderState]) -> None:
    state = start(low={"module_class": 2})
    other = state.load("low", module_class=4)
    assert (rules_of(other), other.errno) == (["class-other"], 2)
    assert state.load("low", module_class=2).outcome is Outcome.LOADS


def test_force_takes_any_version_of_a_module_and_of_what_it_requires(
    start: Callable[..., LoaderState],
) -> None:
    old = {"version": 999000000}
    state = start(low=old, high={**old, "required": "low"})
    assert state.load("high").errno == 75
    assert state.load("high", is_forced=True).outcome is Outcome.LOADS
    assert state.loaded_names() == ("low", "high")


def test_a_cycle_through_others_is_found(start: Callable[..., LoaderState]) -> None:
    state = start(a={"required": "b"}, b={"required": "c"}, c={"required": "a"})
    result = state.load("a")
    assert rules_of(result) == ["requirement-cycle"] + 3 * ["requirement-failed"]
    assert result.errno == 11
    assert "a -> b -> c -> a" in result.findings[0].message
    assert state.loaded_names() == ()


def test_what_was_loaded_for_a_module_that_fails_stays(start: Callable[..., LoaderState]) -> None:
    state = start(low={}, high={"required": "low,absent"})
    result = state.load("high")
    assert rules_of(result) == ["file-missing", "requirement-failed"]
    assert result.errno == 2
    assert state.loaded_names() == ("low",)


def test_a_dependency_must_have_the_name_it_is_required_by(factory: Any, kernel: Kernel) -> None:
    other = factory.module("really")
    result = check_kmod(factory.module(required="alias"), kernel, {"alias": other})
    assert rules_of(result) == ["dependency-name", "requirement-failed"]
    assert result.inputs[1] == other


def test_a_long_chain_is_not_followed_to_the_end(factory: Any, tools: Any, kernel: Kernel) -> None:
    content = factory.assemble(tools.module_text("m000", required="m001"))
    last = factory.assemble(tools.module_text("m110"))
    files = {}
    for i in range(110):
        own = content.replace(b"m001", b"next").replace(b"m000", b"m%03d" % i)
        path = factory.write(own.replace(b"next", b"m%03d" % (i + 1)))
        files[f"{kernel.modules_directory}/m{i:03}/m{i:03}.kmod"] = path
    result = LoaderState(kernel, files.get).load("m000")
    assert rules_of(result)[0] == "requirement-depth"
    assert result.outcome is Outcome.UNKNOWN
    files[f"{kernel.modules_directory}/m110/m110.kmod"] = factory.write(last)
    assert LoaderState(kernel, files.get).load("m020").outcome is Outcome.LOADS


def test_a_diamond_loads_each_module_once(start: Callable[..., LoaderState]) -> None:
    state = start(
        top={"required": "left,right"}, left={"required": "base"}, right={"required": "base"},
        base={},
    )  # fmt: skip
    assert state.load("top").outcome is Outcome.LOADS
    assert state.loaded_names() == ("base", "left", "right", "top")
    assert state.unload("base").errno == 16


def test_built_in_modules_meet_requirements_and_have_references(
    start: Callable[..., LoaderState],
) -> None:
    state = start(high={"required": "ffs"})
    assert state.load("high").outcome is Outcome.LOADS
    assert state.unload("ufs").errno == 16
    assert state.unload("ffs").errno == 16
    assert rules_of(state.unload("secmodel_test")) == ["builtin-secmodel"]


def test_a_disabled_built_in_needs_force(start: Callable[..., LoaderState]) -> None:
    state = start(high={"required": "ffs"})
    unloaded = state.unload("ffs")
    assert (unloaded.outcome, rules_of(unloaded)) == (Outcome.UNKNOWN, ["unload-at-run-time"])
    refused = state.load("ffs")
    assert (rules_of(refused), refused.errno) == (["builtin-disabled"], 1)
    failed = state.load("high")
    assert (rules_of(failed), failed.errno) == (["builtin-disabled", "requirement-failed"], 1)
    assert state.load("ffs", is_forced=True).outcome is Outcome.LOADS
    assert state.load("high").outcome is Outcome.LOADS
    assert state.unload("ufs").errno == 16


def test_a_duplicate_in_a_requirement_passes_only_while_it_is_not_loaded(
    start: Callable[..., LoaderState],
) -> None:
    both = GLOBAL.format("twice")
    state = start(low={"extra": both}, high={"required": "low", "extra": both})
    assert state.load("high").outcome is Outcome.LOADS
    state.unload("high")
    result = state.load("high")
    assert (rules_of(result), result.errno) == (["redefined-symbol"], 8)
    assert "module low" in result.findings[0].message


def test_a_module_may_use_what_it_does_not_require(start: Callable[..., LoaderState]) -> None:
    state = start(low={"extra": GLOBAL.format("offered")}, user={"extra": f"{USE}offered"})
    assert state.load("user").errno == 8
    state.load("low")
    assert state.load("user").outcome is Outcome.LOADS
    assert state.unload("low").outcome is Outcome.LOADS


@pytest.mark.parametrize("has_dtrace", [False, True])
def test_under_dtrace_a_need_outlives_its_provider(
    start: Callable[..., LoaderState], kernel: Kernel, has_dtrace: bool
) -> None:
    on = replace(kernel, has_dtrace=has_dtrace)
    offers, needs = {"extra": GLOBAL.format("offered")}, {"extra": f"{USE}offered"}
    state = start(on, low=offers, user=needs, late=needs, other=offers)
    state.load("low")
    state.load("user")
    state.unload("low")
    assert state.load("other").errno == (8 if has_dtrace else 0)
    state = start(on, low=offers, user=needs, late=needs)
    state.load("low")
    state.load("user")
    state.unload("low")
    assert state.load("late").errno == (0 if has_dtrace else 8)


@pytest.mark.parametrize("is_absolute", [False, True])
def test_a_need_met_by_an_absolute_symbol_outlives_its_provider(
    start: Callable[..., LoaderState], is_absolute: bool
) -> None:
    extra = ".globl mark\n.set mark, 77" if is_absolute else GLOBAL.format("mark")
    needs = {"extra": f"{USE}mark"}
    state = start(low={"extra": extra}, user=needs, late=needs)
    state.load("low")
    assert state.load("user").outcome is Outcome.LOADS
    state.unload("low")
    assert state.load("late").errno == (0 if is_absolute else 8)


@pytest.mark.parametrize(
    ("plist", "rule", "errno"),
    [
        (b"<plist><dict><key>noautoload</key><true/></dict></plist>", "autoload-disallowed", 1),
        (b"<plist><dict><key>noautoload</key><false/></dict></plist>", None, 0),
        (b"<plist><dict></dict></plist>", None, 0),
        (b"<plist><dict></dict></plist>" + b" " * 8163, "plist-size", 27),
        (b"<plist><dict></dict></plist>" + b" " * 8162, None, 0),
        (b"<plist><array/></plist>", "plist-invalid", 22),
        (b"<plist><dict><integer>x</integer></dict></plist>", "plist-invalid", 22),
        (b"not a plist", "plist-invalid", 22),
    ],
)
def test_the_plist_of_a_requirement_is_read(
    start: Callable[..., LoaderState], plist: bytes, rule: str | None, errno: int
) -> None:
    state = start(plists={"low": plist}, low={}, high={"required": "low"})
    result = state.load("high")
    assert result.errno == errno
    assert rules_of(result)[:1] == ([] if rule is None else [rule])
    if rule == "autoload-disallowed":
        assert state.load("low").outcome is Outcome.LOADS
        assert state.load("high").outcome is Outcome.LOADS


def test_properties_can_be_left_out_when_loading_by_hand(
    start: Callable[..., LoaderState],
) -> None:
    state = start(plists={"low": b"no plist"}, low={})
    assert state.load("low").errno == 22
    assert state.load("low", has_properties=False).outcome is Outcome.LOADS


def test_the_plist_beside_a_kmod_belongs_to_its_verdict(factory: Any, kernel: Kernel) -> None:
    low, high = factory.module("low"), factory.module("high", required="low")
    plist = low.with_suffix(".plist")
    plist.write_text("<plist><dict><key>noautoload</key><true/></dict></plist>")
    verdict = check_kmod(high, kernel, {"low": low})
    assert rules_of(verdict) == ["autoload-disallowed", "requirement-failed"]
    assert verdict.inputs == (high, low, plist)
    assert not verdict.is_fit


def test_a_requirement_that_is_not_used_is_a_warning(factory: Any, kernel: Kernel) -> None:
    low = factory.module("low", extra=GLOBAL.format("offered"))
    idle = check_kmod(factory.module("idle", required="low"), kernel, {"low": low})
    assert rules_of(idle) == ["requirement-unused"]
    assert idle.is_fit
    user = factory.module("user", required="low", extra=f"{USE}offered")
    assert rules_of(check_kmod(user, kernel, {"low": low})) == []


def test_a_provider_may_be_required_round_about(factory: Any, kernel: Kernel) -> None:
    base = factory.module("base", extra=GLOBAL.format("offered"))
    low = factory.module("low", required="base")
    user = factory.module("user", required="low", extra=f"{USE}offered")
    verdict = check_kmod(user, kernel, {"low": low, "base": base})
    assert verdict.outcome is Outcome.LOADS
    assert verdict.inputs == (user, low, base)


def test_why_the_kernel_does_not_offer_a_name_is_said(factory: Any, kernel: Kernel) -> None:
    verdict = check_kmod(factory.module(extra=f"{USE}kern_weak, kern_static"), kernel, {})
    assert [finding.message for finding in verdict.findings] == [
        "nothing offers kern_weak; the kernel's is weak, which modules cannot use",
        "nothing offers kern_static; the kernel's is static, which modules cannot use",
    ]


def test_a_whole_set_is_judged_each_with_the_others(factory: Any, kernel: Kernel) -> None:
    low = factory.module("low", extra=GLOBAL.format("offered"))
    high = factory.module("high", required="low", extra=f"{USE}offered")
    lost = factory.module("lost", extra=f"{USE}offered")
    verdicts = check_set((low, high, lost), kernel)
    assert [verdict.outcome for verdict in verdicts] == [
        Outcome.LOADS, Outcome.LOADS, Outcome.REFUSED,
    ]  # fmt: skip
    assert verdicts[1].inputs == (high, low)
    assert verdicts[2].findings[0].message == (
        "nothing offers offered; module low does, and is not required"
    )


def test_a_kernel_of_an_unknown_machine_is_an_error(factory: Any) -> None:
    with pytest.raises(BuildsysError, match="toaster: expected a NetBSD machine"):
        check_kmod(factory.module(), Kernel("toaster", KernelVersion(1099001200)), {})


def test_a_missing_kmod_is_an_error(tmp_path: Path, kernel: Kernel) -> None:
    with pytest.raises(BuildsysError, match="cannot read: No such file"):
        check_kmod(tmp_path / "none.kmod", kernel, {})
