"""SARIF 2.1.0, held to the object model that pysarif has from the OASIS schema.

pysarif spells every object of the schema as a dataclass: members, which must be there, types,
words of enumerations. keep_to() holds a document to them, and lets no unknown member through, as
the schema does.
"""

import dataclasses
import json
import types
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

import pysarif
import pytest
from dataclasses_json import LetterCase

from buildsys.report.model import Report
from buildsys.report.sarif import render_sarif

SCALARS: dict[type, tuple[type, ...]] = {
    str: (str,), bool: (bool,), int: (int,), float: (int, float), dict: (dict,)
}  # fmt: skip
RENAMED = {"schema": "$schema"}


def keep_to(wanted: Any, value: Any, place: str) -> None:
    """Hold a value of JSON to a type of pysarif."""
    origin = get_origin(wanted)
    if wanted is Any or (dataclasses.is_dataclass(wanted) and not dataclasses.fields(wanted)):
        return
    if origin in (Union, types.UnionType):
        (inner,) = (one for one in get_args(wanted) if one is not type(None))
        keep_to(inner, value, place)
    elif origin is Literal:
        assert value in get_args(wanted), place
    elif origin is list:
        assert isinstance(value, list), place
        for number, entry in enumerate(value):
            keep_to(get_args(wanted)[0], entry, f"{place}[{number}]")
    elif dataclasses.is_dataclass(wanted):
        keep_to_class(wanted, value, place)
    else:
        assert isinstance(value, SCALARS[wanted]), place
        assert isinstance(value, bool) == (wanted is bool), place


def keep_to_class(wanted: Any, value: Any, place: str) -> None:
    assert isinstance(value, dict), place
    if wanted.__name__ == "PropertyBag":
        return  # the user's own
    hints = get_type_hints(wanted)
    members = {}
    for field in dataclasses.fields(wanted):
        name = RENAMED.get(field.name) or LetterCase.CAMEL(field.name)
        members[name] = hints[field.name]
        is_needed = (
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        )
        assert name in value or not is_needed, f"{place}.{name} is missing"
    for name, entry in value.items():
        assert name in members, f"{place}.{name} is unknown"
        keep_to(members[name], entry, f"{place}.{name}")


def test_every_report_keeps_to_the_model(report: Report, empty_report: Report) -> None:
    for one in (report, empty_report):
        log = json.loads(render_sarif(one))
        keep_to(pysarif.SarifLog, log, "log")
        assert log["version"] == "2.1.0"
        assert pysarif.load_from_json(json.dumps(log)).runs is not None


@pytest.mark.parametrize(
    ("path", "change"),
    [
        (("runs", 0), {"tool": None}),
        (("runs", 0, "results", 0), {"level": "fatal"}),
        (("runs", 0, "results", 0), {"rule_id": "x"}),
        (("runs", 0, "results", 0, "message"), {"text": 3}),
        (("runs", 0, "invocations", 0), {"executionSuccessful": "yes"}),
    ],
    ids=str,
)
def test_the_model_refuses_what_is_no_sarif(
    report: Report, path: tuple[Any, ...], change: dict[str, Any]
) -> None:
    log = json.loads(render_sarif(report))
    part = log
    for step in path:
        part = part[step]
    part.update(change)
    with pytest.raises(AssertionError):
        keep_to(pysarif.SarifLog, log, "log")


def test_each_finding_is_a_result_of_its_target_with_its_rule(report: Report) -> None:
    first, second = json.loads(render_sarif(report))["runs"]
    assert second["results"] == []
    rules = first["tool"]["driver"]["rules"]
    results = first["results"]
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in results)
    assert sorted(result["ruleId"] for result in results) == [
        "build-failed", "build-failed", "not-elf", "redefined-symbol", "symbols-unknown",
        "undefined-symbol", "weak-unused",
    ]  # fmt: skip
    prints = [result["partialFingerprints"]["modbuild/v1"] for result in results]
    assert len(set(prints)) == len(prints)
    assert not first["invocations"][0]["executionSuccessful"]
    assert second["invocations"][0]["executionSuccessful"]


def test_every_uri_is_one(report: Report) -> None:
    text = render_sarif(report)
    assert text.isascii()
    uris = []

    def collect(node: dict[str, Any]) -> dict[str, Any]:
        uris.extend(value for key, value in node.items() if key == "uri")
        return node

    json.loads(text, object_hook=collect)
    assert len(uris) > 5
    for uri in uris:
        assert urlsplit(uri).scheme in ("", "file")
        assert not set(uri) & set(' \n"<>\\^`{|}')
    assert any("od%0Ad%1B%5B31m" in uri and "%FF" in uri for uri in uris)
