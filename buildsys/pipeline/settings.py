"""From modbuild.yaml, the environment and options to a configuration; imports little."""

import importlib
from collections.abc import Mapping
from pathlib import Path

from buildsys.config import CONFIG_FILE, Config, resolve_config


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
    values = importlib.import_module("buildsys.pipeline.settingsfile").read_settings(path)
    return resolve_config(options, environment, values, directory, path)
