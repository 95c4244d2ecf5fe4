"""The JSON document and its schema."""

import json

import jsonschema
import pytest

from buildsys.report.document import describe_report_schema, render_json
from buildsys.report.model import Report


def test_the_schema_is_one_and_every_report_keeps_to_it(
    report: Report, empty_report: Report
) -> None:
    schema = describe_report_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    for one in (report, empty_report):
        jsonschema.validate(json.loads(render_json(one)), schema)


@pytest.mark.parametrize(
    "change",
    [{"format": 2}, {"extra": 1}, {"modules": [{}]}, {"seconds": "3"}, {"targets": None}],
    ids=str,
)
def test_the_schema_refuses_what_is_no_report(report: Report, change: dict[str, object]) -> None:
    document = {**json.loads(render_json(report)), **change}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, describe_report_schema())


def test_equal_reports_give_equal_bytes_that_any_parser_takes(report: Report) -> None:
    content = render_json(report)
    assert content == render_json(report)
    assert content.isascii()
    assert b"\\ud" not in content.lower()  # no half of a surrogate pair


def test_the_document_tells_each_module_once_for_each_target(report: Report) -> None:
    document = json.loads(render_json(report))
    rows = {(row["target"], row["name"]): row for row in document["modules"]}
    assert len(rows) == len(report.results)
    beta = rows[report.targets[0].name, "beta"]
    assert (beta["word"], beta["outcome"], beta["errno"], beta["is_fit"]) == (
        "refused", "refused", 8, False,
    )  # fmt: skip
    assert beta["detail"]["uses"][1] == {"provider": "alpha", "names": ["alpha_count"]}
    assert rows[report.targets[0].name, "epsilon"]["build"]["state"] == "failed"
    assert document["rules"]["undefined-symbol"]["source"].startswith("sys/kern/")
    assert document["summary"]["loads"] == 2
    assert not document["is_fit"]
