"""doit's parts without its command line: what stands in while they are imported does no harm."""

import subprocess
import sys

import pytest

_COMMON = "import sys; from buildsys.pipeline import doitparts as parts; "


@pytest.mark.parametrize(
    "code",
    [
        "assert not {'inspect', 'pdb', 'traceback', 'getopt', 'doit'} & sys.modules.keys()",
        "assert parts.tasking.inspect.signature(lambda one: one).parameters.keys() == {'one'}",
        "import inspect; assert inspect.isclass(int); assert parts.tasking.inspect.isclass(int)",
        "import multiprocessing; queue = multiprocessing.get_context('fork').Queue();"
        " queue.put(1); assert queue.get() == 1",
        "import doit; from doit import control; assert control is parts.control; assert doit.run",
        "failed = parts.exceptions.TaskFailed('words', ValueError('why'));"
        " assert 'why' in failed.get_msg()",
    ],
)
def test_what_is_seldom_used_is_there_when_it_is(code: str) -> None:
    subprocess.run((sys.executable, "-S", "-c", _COMMON + code), check=True, env=_environment())


def test_doit_that_was_imported_before_is_used_as_it_is() -> None:
    code = "import doit, sys; from buildsys.pipeline import doitparts as parts;"
    code += " assert sys.modules['doit'] is doit; assert parts.control is doit.control"
    subprocess.run((sys.executable, "-S", "-c", code), check=True, env=_environment())


def _environment() -> dict[str, str]:
    """Give the packages of this interpreter, without what its start would import."""
    return {"PYTHONPATH": ":".join(filter(None, sys.path))}
