"""The verb that shows every setting."""

import argparse

from buildsys.base.errors import ExitStatus
from buildsys.cli import Context
from buildsys.config import describe_config
from buildsys.verbs.settings import read_config


def config(arguments: argparse.Namespace, context: Context) -> ExitStatus:
    """Show every setting, its value and where that comes from."""
    rows = describe_config(read_config(arguments, context))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for key, value, origin in rows:
        print(f"{key:<{widths[0]}}  {value:<{widths[1]}}  ({origin})")
    return ExitStatus.DONE
