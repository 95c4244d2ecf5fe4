"""From modbuild.yaml, the environment and options to a configuration; imports little."""

from collections.abc import Mapping
from pathlib import Path

from buildsys.base.yamlfile import YamlValue, load_yaml
from buildsys.config import CONFIG_FILE, SETTINGS, Config, resolve_config


def load_config(
    options: Mapping[str, str],
    environment: Mapping[str, str],
    directory: Path,
    file: Path | None = None,
) -> Config:
    """Read modbuild.yaml (or the given file), if there is one, and choose every setting."""
    path = directory / (CONFIG_FILE if file is None else file)
    if file is None and not path.is_file():
        return resolve_config(options, environment, {}, directory, None)
    entries = load_yaml(path).as_map("a mapping of settings to values")
    entries.refuse_unknown(tuple(setting.key for setting in SETTINGS))
    flags = {setting.key for setting in SETTINGS if setting.is_flag}
    values = {
        key: ("no", "yes")[value.as_boolean()] if key in flags else _read_setting(value)
        for key, value in entries.entries.items()
    }
    return resolve_config(options, environment, values, directory, path)


def _read_setting(value: YamlValue) -> str:
    text = value.as_string()
    if not text:
        raise value.expect("a value")
    return text
