"""What tests of several parts share: the small tree of modules."""

from pathlib import Path

import pytest
from workspace import Workspace, make_workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Give the small tree in a directory of its own, not built yet."""
    return make_workspace(tmp_path)
