"""Modules that stand in for others until these are used."""

import subprocess
import sys

import pytest

_COMMON = "import sys; from buildsys.base.standin import standing_in\n"


@pytest.mark.parametrize(
    "code",
    [
        "with standing_in('pdb'):\n import pdb\nassert 'pdb' not in sys.modules\n"
        "assert pdb.Pdb is not None and sys.modules['pdb'].Pdb is pdb.Pdb",
        "with standing_in('pdb'):\n from pdb import Pdb\nassert sys.modules['pdb'].Pdb is Pdb",
        "with standing_in('inspect'):\n import dataclasses\nassert not dataclasses.is_dataclass(1)",
        "import inspect\nwith standing_in('inspect'):\n import inspect as other\n"
        "assert other is inspect",
        "with standing_in('nosuch'):\n import nosuch\n"
        "try:\n nosuch.one\nexcept ModuleNotFoundError:\n sys.exit(0)\nsys.exit(1)",
        "from buildsys.elf import reader\nassert not {'pdb', 'inspect'} & sys.modules.keys()",
    ],
)
def test_who_uses_it_gets_the_module(code: str) -> None:
    environment = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    subprocess.run((sys.executable, "-S", "-c", _COMMON + code), check=True, env=environment)
