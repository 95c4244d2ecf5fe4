"""Kernel options of a module against those of its kernel."""

from pathlib import Path
from typing import Any

import pytest

from buildsys.base.errors import BuildsysError
from buildsys.base.value import replace
from buildsys.check.check import check_kmod
from buildsys.check.drift import Drift, DriftPolicy, parse_policy
from buildsys.check.verdict import Outcome
from buildsys.check.verdictfile import parse_verdict, render_verdict
from buildsys.kernel.model import Kernel
from buildsys.pipeline.buildoptions import defined_options
from buildsys.toolchain.ident import render_ident_source

NOTED = render_ident_source(1099001200, ("DEBUG", "DIAGNOSTIC"))


def configured(kernel: Kernel, *options: str) -> Kernel:
    lines = ("### START CONFIG FILE", *(f"options {option}" for option in options))
    return replace(kernel, configuration=lines)


@pytest.mark.parametrize(
    ("module", "kernel_options", "differing"),
    [
        ((), (), []),
        (("DIAGNOSTIC",), ("DIAGNOSTIC",), []),
        (("DIAGNOSTIC",), (), ["DIAGNOSTIC"]),
        ((), ("DIAGNOSTIC", "DEBUG"), ["DEBUG", "DIAGNOSTIC"]),
        ((), ("LOCKDEBUG", "MULTIPROCESSOR"), []),
        (("LOCKDEBUG",), ("MULTIPROCESSOR",), ["LOCKDEBUG"]),
    ],
)
def test_options_that_differ_are_warned_of(
    factory: Any, kernel: Kernel, module: tuple[str, ...], kernel_options: tuple[str, ...],
    differing: list[str],
) -> None:  # fmt: skip
    path: Path = factory.module()
    against = configured(kernel, *kernel_options)
    verdict = check_kmod(path, against, {}, drift=Drift(module))
    assert [f.subject for f in verdict.findings if f.rule == "option-drift"] == differing
    assert verdict.is_fit
    assert verdict.outcome is Outcome.LOADS
    assert verdict.built_with == module
    assert parse_verdict(render_verdict(verdict), path) == verdict


def test_the_policy_refuses_or_ignores(factory: Any, kernel: Kernel) -> None:
    path, against = factory.module(), configured(kernel, "DIAGNOSTIC")
    refused = check_kmod(path, against, {}, drift=Drift((), DriftPolicy.REFUSE))
    assert [finding.rule for finding in refused.findings] == ["option-refused"]
    assert not refused.is_fit
    assert check_kmod(path, against, {}, drift=Drift((), DriftPolicy.IGNORE)).findings == ()
    with pytest.raises(BuildsysError, match="drift: expected one of warn, refuse, ignore"):
        parse_policy("perhaps")


def test_the_note_of_a_kmod_tells_its_options(factory: Any, kernel: Kernel) -> None:
    noted = factory.module(extra=NOTED)
    verdict = check_kmod(noted, configured(kernel, "DEBUG"), {})
    assert verdict.built_with == ("DEBUG", "DIAGNOSTIC")
    assert [finding.subject for finding in verdict.findings] == ["DIAGNOSTIC"]
    plain = check_kmod(factory.module(), configured(kernel, "DEBUG"), {})
    assert (plain.built_with, plain.findings) == (None, ())
    empty = check_kmod(factory.module(extra=render_ident_source(1099001200)), kernel, {})
    assert empty.built_with == ()


def test_what_a_kernel_does_not_tell_is_not_compared(factory: Any, kernel: Kernel) -> None:
    bare = Kernel("amd64", kernel.version)
    verdict = check_kmod(factory.module(), bare, {}, drift=Drift(("DIAGNOSTIC", "LOCKDEBUG")))
    assert verdict.findings == ()


@pytest.mark.parametrize(
    ("flags", "options"),
    [
        ("-O2 -DDIAGNOSTIC -DFOO=1 -D_KERNEL", ("DIAGNOSTIC",)),
        ("-DLOCKDEBUG=1 -D DEBUG", ("DEBUG", "LOCKDEBUG")),
        ("-DDEBUG -UDEBUG -DDIAGNOSTIC -U DIAGNOSTIC", ()),
        ("-D -DDEBUG", ()),
        ("", ()),
    ],
)
def test_flags_tell_the_options(flags: str, options: tuple[str, ...]) -> None:
    assert defined_options(flags.split()) == options
