"""The HTML page: whole, without other files, safe with hostile names."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest

from buildsys.base.value import replace
from buildsys.report.model import Report
from buildsys.report.page import render_page

VOID = {"meta", "link", "input", "br"}
SELF_CLOSED = {"path", "rect"}  # SVG may
OUTSIDE = ("src", "srcset", "action", "data", "poster", "xlink:href", "background")


@dataclass
class Seen(HTMLParser):
    """Walks a page: tags must close in order; keeps ids, links, tags with their attributes."""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    open: list[str] = field(default_factory=list)
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    text: list[str] = field(default_factory=list)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in SELF_CLOSED
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, (tag, self.getpos())

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, name: str) -> list[str]:
        return [attributes[name] or "" for _, attributes in self.tags if name in attributes]


def read_page(report: Report) -> Seen:
    seen = Seen()
    seen.feed(render_page(report).decode("utf-8"))
    seen.close()
    assert seen.open == []
    return seen


def test_the_page_is_whole_and_every_link_in_it_leads_somewhere(report: Report) -> None:
    seen = read_page(report)
    ids = seen.all("id")
    assert len(ids) == len(set(ids))
    links = [link for tag, link in ((t, a.get("href")) for t, a in seen.tags) if tag == "a"]
    assert len(links) > 20
    assert all(link is not None and link.startswith("#") and link[1:] in ids for link in links)
    labelled = seen.all("aria-labelledby")
    assert labelled
    assert set(labelled) <= set(ids)


def test_the_page_loads_nothing(report: Report) -> None:
    seen = read_page(report)
    assert [value for name in OUTSIDE for value in seen.all(name)] == []
    assert [a["href"] for tag, a in seen.tags if tag == "link"] == ["data:,"]
    assert "default-src 'none'" in "".join(seen.all("content"))
    text = render_page(report).decode()
    assert re.findall(r"https?://|url\((?!#)|@import|fetch\(|XMLHttp", text) == []


def test_a_hostile_name_is_text_and_nothing_else(report: Report) -> None:
    seen = read_page(report)
    assert [tag for tag, _ in seen.tags].count("script") == 1
    assert not any(name.startswith("on") for _, attributes in seen.tags for name in attributes)
    assert any("od\\nd\\x1b[31m<b>&amp;\"'\\xff\\u202e]]>{{7*7}}" in text for text in seen.text)
    assert not any("49" in text and "od" in text for text in seen.text)
    page = render_page(report).decode()
    assert {letter for letter in page if ord(letter) < 32} == {"\n"}


def test_every_module_has_a_row_for_all_its_targets(report: Report) -> None:
    seen = read_page(report)
    rows = [a for tag, a in seen.tags if tag == "tr" and "data-module" in a]
    names = {result.name for result in report.results}
    assert len(rows) == len(names)
    assert sorted(str(row["data-words"]) for row in rows) == [
        "failed", "left out", "loads", "loads|done", "refused", "refused", "unknown",
    ]  # fmt: skip


def test_two_files_of_one_name_have_a_row_each(report: Report) -> None:
    alpha = report.results[0]
    seen = read_page(replace(report, results=(alpha, alpha)))
    assert len([1 for tag, a in seen.tags if tag == "tr" and "data-module" in a]) == 2
    assert len(seen.all("id")) == len(set(seen.all("id")))


def test_equal_reports_give_equal_pages(report: Report) -> None:
    assert render_page(report) == render_page(report)


def test_a_report_of_nothing_is_a_page(empty_report: Report) -> None:
    assert "Modules" in read_page(empty_report).text


@pytest.mark.parametrize("part", ["summary", "rules", "modules-head", "requirements", "details"])
def test_the_page_has_all_its_parts(report: Report, part: str) -> None:
    assert part in read_page(report).all("id")
