"""The verb that prints the JSON Schemas of what programs read and write."""

import argparse
import importlib
import json

from buildsys.base.errors import ExitStatus
from buildsys.cli import Context

_PLACES = {
    "descriptor": ("buildsys.module.schema", "describe_schema"),
    "report": ("buildsys.report.document", "describe_report_schema"),
}


def schema(arguments: argparse.Namespace, _context: Context) -> ExitStatus:
    """Print the JSON Schema of module descriptors, or of reports."""
    module, function = _PLACES[arguments.which]
    describe = getattr(importlib.import_module(module), function)
    print(json.dumps(describe(), indent=2))
    return ExitStatus.DONE
