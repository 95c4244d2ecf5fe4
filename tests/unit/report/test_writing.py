"""The option --report."""

from pathlib import Path

import pytest

from buildsys.base.errors import UsageError
from buildsys.report.model import Report
from buildsys.report.writing import FORMS, Wanted, has_details, parse_wanted, write_reports


def test_forms_and_files_are_taken_apart_at_commas_that_a_form_follows(tmp_path: Path) -> None:
    assert parse_wanted(["junit=a,b.xml,sarif=/c,json=d"], tmp_path) == (
        Wanted("junit", tmp_path / "a,b.xml"),
        Wanted("sarif", Path("/c")),
        Wanted("json", tmp_path / "d"),
    )
    assert parse_wanted(["json=-"], tmp_path) == (Wanted("json", Path("-")),)
    assert parse_wanted([], tmp_path) == ()


@pytest.mark.parametrize("word", ["", "xml=a", "json", "json=", "junit=a,json=a", "a.xml"])
def test_what_is_no_form_and_file_is_wrong_usage(word: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--report"):
        parse_wanted([word], tmp_path)


def test_each_report_is_a_file_whose_directory_is_made(report: Report, tmp_path: Path) -> None:
    words = [",".join(f"{form}=deep/{form}.out" for form in FORMS)]
    write_reports(report, parse_wanted(words, tmp_path))
    assert {path.name for path in (tmp_path / "deep").iterdir()} == {f"{f}.out" for f in FORMS}
    assert all(path.stat().st_size for path in (tmp_path / "deep").iterdir())


def test_standard_output_takes_one(
    report: Report, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    write_reports(report, parse_wanted(["json=-"], Path()))
    assert capfdbinary.readouterr().out.startswith(b'{\n "format": 1')


def test_details_are_gathered_only_for_forms_that_show_them() -> None:
    assert has_details(parse_wanted(["json=x"], Path()))
    assert not has_details(parse_wanted(["junit=x"], Path()))
