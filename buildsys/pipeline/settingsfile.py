"""The file modbuild.yaml to values by key; most directories have none."""

from pathlib import Path

from buildsys.base.yamlfile import YamlValue, load_yaml
from buildsys.config import SETTINGS


def read_settings(path: Path) -> dict[str, str]:
    """Read the settings of a file, each as its option would be given."""
    entries = load_yaml(path).as_map("a mapping of settings to values")
    entries.refuse_unknown(tuple(setting.key for setting in SETTINGS))
    flags = {setting.key for setting in SETTINGS if setting.is_flag}
    return {
        key: ("no", "yes")[value.as_boolean()] if key in flags else _read_setting(value)
        for key, value in entries.entries.items()
    }


def _read_setting(value: YamlValue) -> str:
    text = value.as_string()
    if not text:
        raise value.expect("a value")
    return text
