"""The names below a machine's object directory: a module's own, and what must be kept."""

from pathlib import Path

RECORD_DIRECTORY = ".modbuild"
KEPT = ("receipts", "generations", RECORD_DIRECTORY)  # what is known of installed modules


def objects_directory(machine: Path, module: str) -> Path:
    """Give where what is made of a module goes: below a machine's, beside what must be kept."""
    return machine / (f".{module}" if module in KEPT else module)
