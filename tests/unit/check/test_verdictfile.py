"""Verdict files: the same bytes for the same verdict, and back again."""

import json
from pathlib import Path
from typing import Any

import pytest

from buildsys.base.errors import BuildsysError
from buildsys.check.check import check_kmod
from buildsys.check.rulebook import find_rule, finding
from buildsys.check.verdict import Outcome, Severity, Verdict
from buildsys.check.verdictfile import load_verdict, parse_verdict, render_verdict
from buildsys.kernel.model import Kernel


def test_a_verdict_comes_back_from_its_file(factory: Any, kernel: Kernel, tmp_path: Path) -> None:
    kmod = factory.module(extra=".data\n.quad nothing, elsewhere")
    verdict = check_kmod(kmod, kernel, {})
    path = tmp_path / "sample.verdict.json"
    path.write_bytes(render_verdict(verdict))
    assert load_verdict(path) == verdict
    assert render_verdict(load_verdict(path)) == path.read_bytes()
    assert render_verdict(check_kmod(kmod, kernel, {})) == path.read_bytes()


def test_the_file_says_what_a_reader_needs(factory: Any, kernel: Kernel) -> None:
    document = json.loads(render_verdict(check_kmod(factory.module(name="ffs"), kernel, {})))
    assert document["format"] == 2
    assert (document["outcome"], document["errno"], document["is_fit"]) == ("refused", 17, True)
    assert [entry["rule"] for entry in document["findings"]] == ["built-in"]
    assert document["findings"][0]["source"] == "sys/kern/kern_module.c, module_load"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b'"format": 2', b'"format": 9', "of format 9"),
        (b'"outcome": "loads"', b'"outcome": "maybe"', "not a verdict"),
        (b'"sha256": "', b'"sha256": "zz', "not a verdict"),
        (b'"findings": []', b'"findings": [7]', "not a verdict"),
        (b'"inputs"', b'"outputs"', "not a verdict"),
        (b"}", b"", "not a verdict"),
    ],
)
def test_a_damaged_file_is_one_clear_error(
    factory: Any, kernel: Kernel, old: bytes, new: bytes, says: str
) -> None:
    content = render_verdict(check_kmod(factory.module(), kernel, {}))
    assert old in content
    with pytest.raises(BuildsysError, match=f"^x.json: .*{says}"):
        parse_verdict(content.replace(old, new), Path("x.json"))


def test_a_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(BuildsysError, match="cannot read: No such file"):
        load_verdict(tmp_path / "none.json")


def test_only_a_fit_module_with_the_same_bytes_is_approved(factory: Any, kernel: Kernel) -> None:
    path = factory.module()
    verdict = check_kmod(path, kernel, {})
    assert verdict.approve().digest == verdict.digest
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(BuildsysError, match="changed after its check"):
        verdict.approve()
    unfit = check_kmod(factory.module(version=1), kernel, {})
    with pytest.raises(BuildsysError, match="did not pass its check"):
        unfit.approve()


def test_a_finding_takes_what_its_rule_says() -> None:
    rule = find_rule("undefined-symbol")
    made = finding("undefined-symbol", Path("a"), "text")
    assert (made.severity, made.errno, made.source) == (rule.severity, 8, rule.source)


def test_notes_and_warnings_leave_a_module_fit() -> None:
    for rule_id, severity in (
        ("weak-unused", Severity.WARNING),
        ("symbols-unknown", Severity.NOTE),
    ):
        findings = (finding(rule_id, Path("a"), "text"),)
        assert findings[0].severity is severity
        verdict = Verdict("a", Path("a"), bytes(32), "", Outcome.UNKNOWN, findings)
        assert verdict.is_fit
        assert verdict.errno == 0
