"""From the parsed options of a verb to the configuration."""

import argparse

from buildsys.cli import Context
from buildsys.config import SETTINGS, Config
from buildsys.pipeline.settings import load_config


def read_config(arguments: argparse.Namespace, context: Context) -> Config:
    """Choose every setting: options, environment, modbuild.yaml, defaults."""
    options = {
        setting.key: str(getattr(arguments, setting.key))
        for setting in SETTINGS
        if hasattr(arguments, setting.key)
    }
    return load_config(options, context.environment, context.directory, arguments.config)
