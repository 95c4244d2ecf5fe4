"""Settings: which of option, environment, file and default wins, and what it says of it."""

from pathlib import Path

import pytest

from buildsys.base.errors import BuildsysError, UsageError
from buildsys.base.value import replace
from buildsys.config import SETTINGS, Setting, describe_config, resolve_config
from buildsys.pipeline.settings import load_config

HERE = Path("/here")
FILE = Path("/file/modbuild.yaml")


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
def test_options_win_over_environment_over_file_over_default(setting: Setting) -> None:
    key, names, is_path = setting.key, setting.environment, setting.is_path
    sources = [({key: "option"}, "option", HERE)]
    sources += [({name: "variable"}, f"environment {name}", HERE) for name in names]
    sources += [({key: "value"}, str(FILE), FILE.parent)]
    options, variables, values = {key: "option"}, dict.fromkeys(names, "variable"), {key: "value"}
    if setting.is_flag:
        options, variables, values = {key: "yes"}, dict.fromkeys(names, "yes"), {key: "yes"}
    if setting.choices:
        word = setting.choices[-1]
        options, variables, values = {key: word}, dict.fromkeys(names, word), {key: word}
    for given, origin, base in sources:
        config = resolve_config(options, variables, values, HERE, FILE)
        expected = "True" if setting.is_flag else next(iter(given.values()))
        expected = setting.choices[-1] if setting.choices else expected
        assert str(getattr(config, key)) == (f"{base}/{expected}" if is_path else expected)
        assert dict(config.origins)[key] == origin
        if origin == "option":
            options = {}
        else:
            variables.pop(origin.removeprefix("environment "), None)
    config = resolve_config({}, {}, {}, HERE, FILE)
    assert dict(config.origins)[key] == "default"


def test_a_word_that_a_setting_does_not_know_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match=r"--drift: expected warn or refuse or ignore, got 'foo'"):
        resolve_config({"drift": "foo"}, {}, {}, HERE, FILE)
    with pytest.raises(UsageError, match=r"/file/modbuild.yaml: drift: expected"):
        resolve_config({}, {}, {"drift": "Refuse"}, HERE, FILE)


def test_defaults_are_those_of_a_fresh_clone() -> None:
    config = resolve_config({}, {}, {}, HERE, None)
    assert (config.machine, config.machine_arch, config.toolchain) == ("amd64", "", "")
    assert (config.src, config.kernel, config.tooldir) == (None, None, None)
    assert (config.modules, config.objdir) == (HERE / "modules", HERE / "obj")
    assert (config.destdir, config.metalog) == (HERE / "destdir", HERE / "destdir/METALOG")
    assert config.file == HERE / "modbuild.yaml"


def test_an_empty_variable_is_not_set() -> None:
    config = resolve_config({}, {"MACHINE": "", "DESTDIR": ""}, {"machine": "i386"}, HERE, FILE)
    assert (config.machine, config.destdir) == ("i386", HERE / "destdir")


def test_an_empty_option_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^--machine-arch: expected a value, got nothing$"):
        resolve_config({"machine_arch": ""}, {}, {}, HERE, None)


def test_metalog_goes_with_destdir() -> None:
    assert resolve_config({"destdir": "d"}, {}, {}, HERE, None).metalog == HERE / "d/METALOG"
    assert resolve_config({}, {"METALOG": "/m"}, {}, HERE, None).metalog == Path("/m")


def test_the_prefix_of_object_directories_goes_before_the_whole_path() -> None:
    environment = {"MAKEOBJDIRPREFIX": "/obj"}
    config = resolve_config({}, environment, {}, HERE, None)
    assert config.objdir == Path("/obj/here")
    assert dict(config.origins)["objdir"] == "environment MAKEOBJDIRPREFIX"
    assert resolve_config({"objdir": "o"}, environment, {}, HERE, None).objdir == HERE / "o"
    config = resolve_config({}, {**environment, "OBJDIR": "/own"}, {}, HERE, None)
    assert config.objdir == Path("/own")


def test_paths_are_absolute_and_know_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    config = resolve_config({"src": "~/src", "destdir": "a/../b/."}, {}, {}, HERE, None)
    assert (config.src, config.destdir) == (Path("/home/me/src"), HERE / "b")


def test_every_setting_is_described_with_its_origin() -> None:
    config = resolve_config({"machine": "i386"}, {"OBJDIR": "/o"}, {"release": "10.1"}, HERE, FILE)
    rows = {key: (value, origin) for key, value, origin in describe_config(config)}
    assert list(rows) == [setting.key for setting in SETTINGS]
    assert rows["machine"] == ("i386", "option")
    assert rows["objdir"] == ("/o", "environment OBJDIR")
    assert rows["release"] == ("10.1", str(FILE))
    assert rows["src"] == ("", "default")
    values = {key: value for key, value, _ in describe_config(replace(config, src=Path("/src")))}
    assert values["src"] == "/src"


def test_a_file_is_read_if_it_is_there_and_must_be_if_it_is_named(tmp_path: Path) -> None:
    assert load_config({}, {}, tmp_path).machine == "amd64"
    with pytest.raises(BuildsysError, match=r"none\.yaml: cannot read"):
        load_config({}, {}, tmp_path, tmp_path / "none.yaml")
    (tmp_path / "modbuild.yaml").write_text("machine: sparc64\ndestdir: d\n")
    config = load_config({}, {}, tmp_path)
    assert (config.machine, config.destdir) == ("sparc64", tmp_path / "d")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/own.yaml").write_text("destdir: d\n")
    config = load_config({}, {}, tmp_path, tmp_path / "sub/own.yaml")
    assert (config.machine, config.destdir) == ("amd64", tmp_path / "sub/d")
    assert config.file == tmp_path / "sub/own.yaml"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": the file is empty"),
        ("[a]", ":1: expected a mapping of settings to values, got a list"),
        ("machine: amd64\nmachin: i386", ":2: machin: unknown key; expected one of machine, "),
        ("machine: [i386]", ":1: machine: expected a string, got a list"),
        ("release: 10.99", r":1: release: expected a string \(quote it\), got 10\.99"),
        ("machine: ''", ":1: machine: expected a value, got nothing"),
        ("machine: a\nmachine: b", ":2: machine: this key stands twice"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "modbuild.yaml").write_text(text)
    with pytest.raises(BuildsysError, match=rf"modbuild\.yaml{message}"):
        load_config({}, {}, tmp_path)
