"""The documentation against the program: links, verbs, options, settings, keys, rules."""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from buildsys.base.errors import ExitStatus
from buildsys.check.rulebook import RULES
from buildsys.cli import VERBS, make_parser
from buildsys.config import SETTINGS
from buildsys.module.schema import FIELDS

TOP = Path(__file__).resolve().parent.parent
PAGES = tuple(sorted((*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md"))))
LAUNCHER_VERBS = {"selftest"}  # done by ./modbuild, before there is a parser
OTHERS_OPTIONS = {"--no-default-config", "--mtime", "--all"}  # clang's, tar's, doit's

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_CALL = re.compile(r"(?:^|[\s'(/])modbuild ([a-z][a-z-]*)((?: [^|&;#\n']*)?)", re.MULTILINE)
_RULE = re.compile(r"(?:error|warning): ([a-z]+(?:-[a-z]+)*): |not checked: ([a-z-]+) in")


def name_page(page: Path) -> str:
    return page.relative_to(TOP).as_posix()


def read_blocks(page: Path, language: str | None = None) -> list[str]:
    found = _FENCE.findall(page.read_text(encoding="utf-8"))
    return [text for word, text in found if language is None or word == language]


def read_prose(page: Path) -> str:
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def read_code(page: Path) -> Iterator[str]:
    """Give every block and every span of code of a page."""
    yield from read_blocks(page)
    yield from _SPAN.findall(" ".join(read_prose(page).split("\n")))


def find_anchors(page: Path) -> set[str]:
    """Name the headings of a page as a link to one spells them."""
    headings = _HEADING.findall(read_prose(page))
    return {
        re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings
    }


def options_by_verb() -> dict[str, set[str]]:
    for action in make_parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return {
                name: {word for each in child._actions for word in each.option_strings}
                for name, child in action.choices.items()
            }
    raise AssertionError("the command line has no verbs")


def find_calls(text: str) -> list[tuple[str, list[str]]]:
    """Give each 'modbuild VERB …' in some code: the verb and the options after it."""
    return [
        (verb, [word.partition("=")[0] for word in rest.split() if re.match(r"--?[a-zA-Z]", word)])
        for verb, rest in _CALL.findall(text)
    ]


@pytest.mark.parametrize("page", PAGES, ids=name_page)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    wrong = []
    for link in _LINK.findall(read_prose(page)):
        path, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = (page.parent / path).resolve() if path else page
        is_there = target.exists() and target.is_relative_to(TOP)
        if not is_there or (anchor and anchor not in find_anchors(target)):
            wrong.append(link)
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=name_page)
def test_every_call_of_modbuild_is_one_that_the_parser_takes(page: Path) -> None:
    options = options_by_verb()
    wrong = []
    for code in read_code(page):
        for verb, words in find_calls(code):
            if verb in LAUNCHER_VERBS:
                continue
            known = options.get(verb)
            if known is None:
                wrong.append(f"modbuild {verb}")
            else:
                wrong += [f"modbuild {verb} {word}" for word in words if word not in known]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=name_page)
def test_every_long_option_in_a_sentence_exists(page: Path) -> None:
    known = OTHERS_OPTIONS.union(*options_by_verb().values(), {"--version"})
    spans = _SPAN.findall(" ".join(read_prose(page).split("\n")))
    named = {span.split()[0].partition("=")[0] for span in spans if span.startswith("--")}
    assert named - known == set()


def test_the_search_for_calls_finds_them() -> None:
    text = "$ cd x && ./modbuild check --strict -m i386 y | tail\n'modbuild why a-b'\nmodbuild: no"
    assert find_calls(text) == [("check", ["--strict", "-m"]), ("why", [])]
    assert sum(len(find_calls(code)) for page in PAGES for code in read_code(page)) > 50


def test_the_page_of_commands_names_every_verb_and_option() -> None:
    text = (TOP / "docs/commands.md").read_text(encoding="utf-8")
    for verb in VERBS:
        assert re.search(rf"^\| `{verb.name}[ `]", text, re.MULTILINE), verb.name
    words = {word for words in options_by_verb().values() for word in words}
    missing = {word for word in words if f"`{word}" not in text}
    assert missing == {"-h", "--help"}  # of every program


def test_the_page_of_commands_names_every_setting_with_its_variables_and_default() -> None:
    text = (TOP / "docs/commands.md").read_text(encoding="utf-8")
    rows = text.partition("## Settings")[2].partition("\n## ")[0].splitlines()
    for setting in SETTINGS:
        row = next((line for line in rows if f"| `{setting.key}` |" in line), "")
        assert row, setting.key
        assert all(name in row for name in setting.environment), setting.key
        assert setting.default in row, setting.key


def test_the_page_of_commands_tells_every_exit_status() -> None:
    section = (TOP / "docs/commands.md").read_text(encoding="utf-8").partition("## Exit status")[2]
    told = re.findall(r"^\| (\d) \|", section, re.MULTILINE)
    assert told == [str(int(status)) for status in ExitStatus]


def test_the_page_of_the_descriptor_names_every_key_and_no_other() -> None:
    text = (TOP / "docs/descriptor.md").read_text(encoding="utf-8")
    section = text.partition("## Keys")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(FIELDS)


@pytest.mark.parametrize("page", PAGES, ids=name_page)
def test_yaml_in_the_pages_has_keys_that_are_read(page: Path) -> None:
    known = set(FIELDS) | {setting.key for setting in SETTINGS}
    for text in read_blocks(page, "yaml"):
        keys = set(yaml.safe_load(text))
        if "jobs" not in keys:  # a workflow: tests/integration/test_pipelines.py runs it
            assert keys <= known, text


@pytest.mark.parametrize("page", PAGES, ids=name_page)
def test_findings_in_transcripts_are_of_rules_that_exist(page: Path) -> None:
    known = {rule.id for rule in RULES}
    blocks = "\n".join(read_blocks(page))
    named = {first or second for first, second in _RULE.findall(blocks)}
    assert named - known == set()


@pytest.mark.parametrize("page", PAGES, ids=name_page)
def test_no_page_shows_a_path_of_the_machine_that_it_was_written_on(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"(?:/tmp|/home|/root|/Users)/\S*", text) == []


def test_the_list_of_decisions_names_each_of_them() -> None:
    directory = TOP / "docs/decisions"
    listed = set(_LINK.findall((directory / "README.md").read_text(encoding="utf-8")))
    assert listed == {path.name for path in directory.glob("[0-9]*.md")}
