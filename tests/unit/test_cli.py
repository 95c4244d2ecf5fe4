"""The command line: every verb is there, helps, and hands over what was asked."""

import importlib
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from buildsys.base.errors import ExitStatus
from buildsys.cli import VERBS, Verb, make_parser, parse_words, run
from buildsys.config import SETTINGS
from buildsys.version import __version__


@pytest.fixture(autouse=True)
def kept_signals() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = [(number, signal.getsignal(number)) for number in numbers]
    yield
    for number, handler in handlers:
        signal.signal(number, handler)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_verb_is_done_somewhere_and_helps(
    verb: Verb, capsys: pytest.CaptureFixture[str]
) -> None:
    module, _, function = verb.place.partition(":")
    assert callable(getattr(importlib.import_module(f"buildsys.verbs.{module}"), function))
    assert run([verb.name, "--help"]) is ExitStatus.DONE
    output = capsys.readouterr().out
    assert verb.text in re.sub(r"\s+", " ", output)


def test_help_names_every_verb_and_the_exit_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) is ExitStatus.DONE
    output = capsys.readouterr().out
    assert all(re.search(rf"^    {verb.name}\s", output, re.MULTILINE) for verb in VERBS)
    assert "exit status: 0 done; 1 the tool or a command failed; 2 a module is not fit" in output
    assert run(["--version"]) is ExitStatus.DONE
    assert capsys.readouterr().out == f"modbuild {__version__}\n"


def test_every_setting_is_an_option_and_none_is_set_unasked() -> None:
    parser = make_parser()
    nothing = parser.parse_args(["install"])
    for setting in SETTINGS:
        option = f"--{setting.key.replace('_', '-')}"
        assert not hasattr(nothing, setting.key)
        words, value = ([option], "yes") if setting.is_flag else ([option, "x"], "x")
        assert getattr(parser.parse_args(["install", *words]), setting.key) == value
    short = parser.parse_args(["install", "-m", "a", "-a", "b", "-O", "c", "-D", "d"])
    assert (short.machine, short.machine_arch, short.objdir, short.destdir) == ("a", "b", "c", "d")


def test_wrong_usage_has_status_3_and_a_short_text(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (
        [],
        ["frobnicate"],
        ["install", "-j", "-3"],
        ["list", "--jso"],
        ["info"],
        ["list", "x"],
    ):
        assert run(words) is ExitStatus.USAGE
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("usage: modbuild")
        assert captured.err.splitlines()[-1].startswith("modbuild")


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_wrong_usage_of_a_verb_shows_the_usage_of_that_verb(
    verb: Verb, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([verb.name, "--frobnicate"]) is ExitStatus.USAGE
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith(f"usage: modbuild {verb.name} [-h]")
    assert lines[-1].startswith(f"modbuild {verb.name}: ")


def test_names_and_options_mix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    parsed = parse_words(["build", "-k", "one", "-j", "3", "two", "--timeout=1.5"])
    assert (parsed.names, parsed.jobs, parsed.timeout) == (["one", "two"], 3, 1.5)
    assert run(["build", "one"]) is ExitStatus.FAILED  # there are no modules here


def test_a_trouble_is_one_line_on_standard_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (["install"], ["list"], ["deps"], ["why"], ["compile-commands"], ["clean"]):
        assert run(words) is ExitStatus.FAILED
        captured = capsys.readouterr()
        assert captured.out == ""
        assert re.fullmatch(r"modbuild: .*/modules: there is no such directory; .*\n", captured.err)
    assert list(tmp_path.iterdir()) == []
