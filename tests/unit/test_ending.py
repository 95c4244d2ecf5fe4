"""How a run ends that cannot go on."""

import pytest

from buildsys.base.errors import ExitStatus
from buildsys.ending import end_well


def test_want_of_memory_is_one_message(capsys: pytest.CaptureFixture[str]) -> None:
    def act() -> ExitStatus:
        raise MemoryError

    assert end_well(act) is ExitStatus.FAILED
    assert capsys.readouterr().err == "modbuild: out of memory\n"
