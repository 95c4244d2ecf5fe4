"""Source trees for tests: one of a test's own, and one that both make and modbuild have built."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from treeworkspace import TreeWorkspace, make_workspace, set_writable


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[TreeWorkspace]:
    """Give a tree of one's own."""
    workspace = make_workspace(tmp_path, {})
    yield workspace
    set_writable(workspace.source, True)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TreeWorkspace]:
    """Give a tree that both make (below stock/) and modbuild have built; change nothing in it."""
    workspace = make_workspace(tmp_path_factory.mktemp("tree"), {})
    workspace.build_stock(workspace.directory / "stock")
    workspace.count_makes()
    workspace.build()
    yield workspace
    set_writable(workspace.source, True)
