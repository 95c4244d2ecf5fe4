"""A kept plan is the plan that would be made, and is not used where another would be."""

import hashlib
import marshal
import os
import pickle
import shutil
from pathlib import Path

import pytest
from workspace import Workspace

from buildsys.base.digest import stat_stamp
from buildsys.base.value import replace
from buildsys.pipeline import keptplan, plancache
from buildsys.pipeline.beside import find_beside
from buildsys.pipeline.keptplan import DamagedPlanError, KeptPlan, render_kept
from buildsys.pipeline.plan import make_plan
from buildsys.pipeline.plancache import Planned, find_planned, save_planned
from buildsys.pipeline.request import load_request
from buildsys.pipeline.session import find_surroundings
from buildsys.pipeline.settings import load_config
from buildsys.pipeline.step import Graph

KEY = b"install"


@pytest.fixture
def planned(workspace: Workspace) -> Planned:
    """Give the plan of the small tree, kept in its OBJDIR."""
    request = load_request(load_config({}, {}, workspace.directory), dict(os.environ))
    surroundings = find_surroundings(request, False)
    made = Planned(request, (), surroundings, make_plan(request, surroundings, (), True))
    (workspace.directory / "obj/.snapshots").mkdir(parents=True)
    stamps = [(path, stat_stamp(path)) for path in find_beside(request, os.environ)]
    save_planned(workspace.path("obj"), KEY, made, stamps)
    return made


def test_a_kept_plan_is_the_one_that_was_made(workspace: Workspace, planned: Planned) -> None:
    found = find_planned(workspace.path("obj"), KEY)
    assert found is not None
    assert found is not planned
    assert replace(found, plan=replace(found.plan, steps=())) == replace(
        planned, plan=replace(planned.plan, steps=())
    )
    plain = [(s.action, s.inputs, s.outputs, s.after) for s in planned.plan.steps]
    assert [(s.action, s.inputs, s.outputs, s.after) for s in found.plan.steps] == plain
    names = [(step.name, step.module, step.use, step.record) for step in planned.plan.steps]
    assert [(s.name, s.module, s.use, s.record) for s in found.plan.steps] == names
    assert [step.recipe for step in found.plan.steps] == [
        step.recipe for step in planned.plan.steps
    ]
    assert find_planned(workspace.path("obj"), b"build") is None


@pytest.mark.usefixtures("planned")
@pytest.mark.parametrize("name", ["modules/gamma/gamma.yaml", "modbuild.yaml", "modules/new/new"])
def test_what_decides_the_plan_spoils_it(workspace: Workspace, name: str) -> None:
    assert find_planned(workspace.path("obj"), KEY) is not None
    workspace.write(name, "class: misc\n")
    assert find_planned(workspace.path("obj"), KEY) is None


@pytest.mark.usefixtures("planned")
def test_a_changed_source_does_not(workspace: Workspace) -> None:
    workspace.path("modules/gamma/tables.c").write_text("int x;\n")
    assert find_planned(workspace.path("obj"), KEY) is not None


def test_damaged_or_foreign_bytes_are_no_plan(workspace: Workspace, planned: Planned) -> None:
    path, guard = plancache._places(workspace.path("obj"), KEY)
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    assert find_planned(workspace.path("obj"), KEY) is None
    path.unlink()
    assert find_planned(workspace.path("obj"), KEY) is None
    path.write_bytes(content)
    found = find_planned(workspace.path("obj"), KEY)
    assert found is not None
    assert found.request == planned.request
    guard.unlink()
    assert find_planned(workspace.path("obj"), KEY) is None


@pytest.mark.usefixtures("planned")
def test_nothing_but_values_of_this_package_is_made(workspace: Workspace) -> None:
    path, guard = plancache._places(workspace.path("obj"), KEY)
    evil = render_kept(Graph((), {}), shutil.rmtree, ())
    text = guard.read_bytes()
    before, after = plancache._digest(path.read_bytes()), plancache._digest(evil)
    path.write_bytes(evil)
    guard.write_bytes(text.replace(before.encode(), after.encode()))
    with pytest.raises(pickle.UnpicklingError, match=r"shutil\.rmtree"):
        find_planned(workspace.path("obj"), KEY)
    assert Path(workspace.directory).exists()


def test_a_plan_with_another_index_is_refused(tmp_path: Path) -> None:
    index = marshal.dumps((["compile:a"], 1))
    sizes = len(index).to_bytes(8, "little") + bytes(8)
    content = keptplan._MAGIC + hashlib.sha256(index).digest() + sizes + index
    with pytest.raises(DamagedPlanError, match="of another version; remove it, run again"):
        KeptPlan(content, tmp_path)


def test_a_damaged_step_or_head_is_told_when_it_is_read(
    workspace: Workspace, planned: Planned
) -> None:
    path, _ = plancache._places(workspace.path("obj"), KEY)
    content = bytearray(path.read_bytes())
    content[-1] ^= 0xFF  # in the last step
    content[content.index(b"Request") + 1] ^= 0xFF  # in the head
    kept = KeptPlan(bytes(content), path)
    assert kept.step(0).outputs == planned.plan.steps[0].outputs
    last = kept.step(len(kept.names) - 1)
    assert last.name == planned.plan.steps[-1].name
    with pytest.raises(DamagedPlanError):
        print(last.action)
    with pytest.raises(DamagedPlanError):
        kept.load_head()


def test_members_of_enumerations_are_named_whatever_python_would_do(
    workspace: Workspace, planned: Planned
) -> None:
    """Python 3.11.2 pickles them by getattr, which no plan may call."""
    path, _ = plancache._places(workspace.path("obj"), KEY)
    assert b"getattr" not in path.read_bytes()
    found = find_planned(workspace.path("obj"), KEY)
    assert found is not None
    assert found.request.modules == planned.request.modules
    assert found.request.modules[0].kmod_class is planned.request.modules[0].kmod_class
