"""The verb that shows what kmods say of themselves."""

import argparse
import json
import sys

from buildsys.base.errors import BuildsysError, ExitStatus
from buildsys.cli import Context
from buildsys.elf.describe import describe_document, describe_kmod, render_facts


def info(arguments: argparse.Namespace, _context: Context) -> ExitStatus:
    """Show what each kmod says of itself."""
    facts = []
    troubles = []
    for path in arguments.files:
        try:
            facts.append(describe_kmod(path))
        except BuildsysError as error:
            troubles.append(f"modbuild: {error}")
    if arguments.json:
        documents = [describe_document(fact) for fact in facts]
        is_one = len(arguments.files) == 1 and not troubles
        print(json.dumps(documents[0] if is_one else documents, indent=2))
    else:
        print("\n".join(render_facts(fact) for fact in facts), end="")
    sys.stdout.flush()
    for trouble in troubles:
        print(trouble, file=sys.stderr)
    return ExitStatus.FAILED if troubles else ExitStatus.DONE
