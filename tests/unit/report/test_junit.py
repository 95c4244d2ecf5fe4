"""JUnit XML."""

from collections import Counter
from xml.etree import ElementTree

from buildsys.report.junit import render_junit
from buildsys.report.model import Report


def test_every_module_stage_and_set_is_a_case_and_the_counts_agree(report: Report) -> None:
    root = ElementTree.fromstring(render_junit(report))  # noqa: S314 - our own
    assert root.tag == "testsuites"
    suites = root.findall("testsuite")
    assert [suite.get("name") for suite in suites] == [report.targets[0].name, "i386 10.99.12"]
    cases = root.findall("testsuite/testcase")
    assert len(cases) == len(report.results) + 2 + 1
    assert all(case.get("name") and case.get("classname") for case in cases)
    tags = Counter(child.tag for case in cases for child in case)
    for holders in ([root], suites):
        for count, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert sum(int(holder.get(count, "")) for holder in holders) == tags[tag]
        assert sum(int(holder.get("tests", "")) for holder in holders) == len(cases)
    assert tags == {"failure": 3, "error": 2, "skipped": 1, "system-out": 2}


def test_a_failure_says_what_the_kernel_says(report: Report) -> None:
    root = ElementTree.fromstring(render_junit(report))  # noqa: S314 - our own
    failure = root.find("testsuite/testcase[@name='beta']/failure")
    assert failure is not None
    assert failure.get("type") == "undefined-symbol"
    assert "the kernel says: symbol not found" in (failure.text or "")
    assert "decided in: sys/kern/subr_kobj.c, kobj_checksyms" in (failure.text or "")


def test_no_character_that_xml_forbids_is_written(report: Report) -> None:
    text = render_junit(report).decode("utf-8")
    assert {letter for letter in text if ord(letter) < 32} == {"\n"}
    assert "\\x1b" in text


def test_a_report_of_nothing_is_still_xml(empty_report: Report) -> None:
    root = ElementTree.fromstring(render_junit(empty_report))  # noqa: S314 - our own
    assert (root.get("tests"), len(root)) == ("0", 0)
