"""What the store takes for stale and why, whatever happens to files and to its own database."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from storing import make_step, open_store, prepare, record, run_step, settle_times

from buildsys.base import granularity
from buildsys.base.digest import stat_stamp
from buildsys.base.value import replace
from buildsys.pipeline.step import Command, Generate, Step


def test_a_finished_step_is_up_to_date_in_the_next_run(tmp_path: Path) -> None:
    step = prepare(tmp_path)
    with open_store(tmp_path) as store:
        assert store.stale_reason(step) == "it had not been made"
        assert run_step(store, step, tmp_path / "second/h.h")
        assert store.stale_reason(step) == ""
    with open_store(tmp_path) as store:
        assert store.stale_reason(step) == ""
        assert store.last_reason(step.name) == "it had not been made"
        assert store.names() == {step.name}


def test_settled_files_are_not_read_again(tmp_path: Path) -> None:
    step = prepare(tmp_path)
    with open_store(tmp_path) as store:
        run_step(store, step, tmp_path / "second/h.h")
        assert store.settle()
    with open_store(tmp_path) as store:
        assert store.stale_reason(step) == ""
        assert (store.counts.stats, store.counts.digests) == (3, 0)


def change_source(tmp_path: Path) -> str:
    (tmp_path / "x.c").write_text("SOURCE")
    return f"{tmp_path}/x.c changed"


def remove_source(tmp_path: Path) -> str:
    (tmp_path / "x.c").unlink()
    return f"{tmp_path}/x.c is missing"


def change_header_keeping_its_times(tmp_path: Path) -> str:
    path = tmp_path / "second/h.h"
    status = path.stat()
    path.write_text("HEADER")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return f"{path} changed"


def replace_header_by_a_directory(tmp_path: Path) -> str:
    (tmp_path / "second/h.h").unlink()
    (tmp_path / "second/h.h").mkdir()
    return f"{tmp_path}/second/h.h changed"


def shadow_header(tmp_path: Path) -> str:
    (tmp_path / "first/h.h").write_text("header")
    return f"{tmp_path}/first/h.h is new"


def shadow_header_beside_the_source(tmp_path: Path) -> str:
    (tmp_path / "h.h").symlink_to("second/h.h")
    return f"{tmp_path}/h.h is new"


def remove_output(tmp_path: Path) -> str:
    (tmp_path / "x.o").unlink()
    return f"{tmp_path}/x.o is missing"


def corrupt_output(tmp_path: Path) -> str:
    path = tmp_path / "x.o"
    status = path.stat()
    path.write_bytes(b"X" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return f"{path} is not what was made"


@pytest.mark.parametrize(
    "edit",
    [
        change_source,
        remove_source,
        change_header_keeping_its_times,
        replace_header_by_a_directory,
        shadow_header,
        shadow_header_beside_the_source,
        remove_output,
        corrupt_output,
    ],
)
@pytest.mark.parametrize("is_settled", [False, True])
def test_every_change_makes_a_step_stale_and_is_named(
    tmp_path: Path, edit: "type[str]", is_settled: bool
) -> None:
    step = prepare(tmp_path)
    with open_store(tmp_path) as store:
        assert run_step(store, step, tmp_path / "second/h.h")
        if is_settled:
            assert store.settle()
    reason = edit(tmp_path)
    with open_store(tmp_path) as store:
        assert store.stale_reason(step) == reason


def test_another_command_input_or_output_makes_a_step_stale(tmp_path: Path) -> None:
    step = prepare(tmp_path)
    with open_store(tmp_path) as store:
        run_step(store, step)
        assert isinstance(step.action, Command)
        action = replace(step.action, argv=(*step.action.argv, "-O1"))
        for other in (
            replace(step, action=action),
            replace(step, inputs=(*step.inputs, tmp_path / "second/h.h")),
            replace(step, outputs=(tmp_path / "y.o",)),
        ):
            assert store.stale_reason(other) == "its command or settings changed"
        assert store.stale_reason(replace(step, after=("other",))) == ""


def test_touch_and_an_edit_taken_back_change_nothing(tmp_path: Path) -> None:
    step = prepare(tmp_path)
    with open_store(tmp_path) as store:
        run_step(store, step)
    (tmp_path / "x.c").write_text("other")
    (tmp_path / "x.c").write_text("source")
    os.utime(tmp_path / "x.o", (1, 1))
    with open_store(tmp_path) as store:
        assert store.stale_reason(step) == ""


def test_edits_in_one_tick_of_the_clock_are_seen(tmp_path: Path) -> None:
    step = prepare(tmp_path)
    for number in range(40):
        (tmp_path / "x.c").write_text(f"{number:4}")
        with open_store(tmp_path) as store:
            store.digest(str(tmp_path / "x.c"))
        (tmp_path / "x.c").write_text(f"{number + 1:4}")
        with open_store(tmp_path) as store:
            run_step(store, step)
            assert (tmp_path / "x.o").read_text() == f"made of {number + 1:4}"
        (tmp_path / "x.c").write_text(f"{number + 2:4}")
        with open_store(tmp_path) as store:
            assert store.stale_reason(step) == f"{tmp_path}/x.c changed"


def test_a_source_edited_while_its_command_runs_leaves_the_step_stale(tmp_path: Path) -> None:
    step = prepare(tmp_path)
    with open_store(tmp_path) as store:
        ticket = store.begin(step, "asked")
        (tmp_path / "x.o").write_text("made of the old source")
        (tmp_path / "x.c").write_text("edited")
        assert not record(store, step, ticket)
        assert store.stale_reason(step) == "a file that it reads changed while it ran"


@pytest.mark.parametrize("is_known", [False, True])
def test_a_header_edited_while_its_compile_runs_leaves_the_step_stale(
    tmp_path: Path, is_known: bool
) -> None:
    step = prepare(tmp_path)
    header = tmp_path / "second/h.h"
    with open_store(tmp_path) as store:
        if is_known:
            assert run_step(store, step, header)
        ticket = store.begin(step, "asked")
        (tmp_path / "x.o").write_text("made of the old header")
        header.write_text("edited")
        assert not record(store, step, ticket, header)
        time.sleep(0.03)  # a younger edit may be one of the next run's time
        assert run_step(store, step, header)
        assert store.stale_reason(step) == ""


def test_a_header_named_by_the_compiler_that_is_not_there_leaves_the_step_stale(
    tmp_path: Path,
) -> None:
    step = prepare(tmp_path)
    with open_store(tmp_path) as store:
        assert not run_step(store, step, tmp_path / "second/gone.h")


def test_a_header_from_the_future_does_not_keep_its_reader_stale_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = prepare(tmp_path)
    header = tmp_path / "second/h.h"
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now - 3600 * 10**9)  # the clock was set back
    for _ in range(2):
        with open_store(tmp_path) as store:
            is_recorded = run_step(store, step, header)
    assert is_recorded
    header.write_text("edited")
    with open_store(tmp_path) as store:
        assert store.stale_reason(step) == f"{header} changed"


def test_what_is_known_of_a_header_from_the_future_outlives_what_other_steps_knew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, gone = prepare(tmp_path), make_step(tmp_path, "compile:gone/x.o")
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now - 3600 * 10**9)
    with open_store(tmp_path) as store:
        run_step(store, gone)
        assert not run_step(store, step, tmp_path / "second/h.h")
        store.replace_plan("plan", [step.record], [gone.record])
    with open_store(tmp_path) as store:
        assert run_step(store, step, tmp_path / "second/h.h")


def test_an_edit_right_before_the_run_is_not_one_meanwhile(tmp_path: Path) -> None:
    step = prepare(tmp_path)
    header = tmp_path / "second/h.h"
    for number in range(10):
        header.write_text(f"{number}")
        with open_store(tmp_path) as store:
            assert run_step(store, step, header)
            assert store.stale_reason(step) == ""


def test_settle_notices_an_edit_right_after_the_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where times are coarse; else the edit has another time than what was looked at."""
    step = prepare(tmp_path)
    monkeypatch.setattr(granularity, "find_fine_device", lambda _: None)
    with open_store(tmp_path) as store:
        run_step(store, step)
        (tmp_path / "x.o").write_text("corrupted at once")
        assert not store.settle()


def test_an_edit_right_after_the_look_is_seen_by_the_next_run(tmp_path: Path) -> None:
    step = prepare(tmp_path)
    for number in range(20):
        with open_store(tmp_path) as store:
            run_step(store, step)
            (tmp_path / "x.o").write_text(f"corrupted {number:02}")
            is_settled = store.settle()
            seen = store.seen([step])
        shown = seen.stamps[str(tmp_path / "x.o")]
        assert not is_settled or shown != stat_stamp(tmp_path / "x.o")
        with open_store(tmp_path) as store:
            assert store.stale_reason(step) == f"{tmp_path}/x.o is not what was made"


def test_a_step_that_is_forgotten_is_stale(tmp_path: Path) -> None:
    step = prepare(tmp_path)
    with open_store(tmp_path) as store:
        run_step(store, step)
        store.forget(step.name)
        store.forget("compile:unknown")
        assert store.stale_reason(step) == "it had not been made"
        run_step(store, step)
        store.forget_all()
    with open_store(tmp_path) as store:
        assert store.names() == frozenset()


def test_seen_names_what_was_read_made_and_where_a_shadow_would_appear(tmp_path: Path) -> None:
    step = prepare(tmp_path)
    with open_store(tmp_path) as store:
        run_step(store, step, tmp_path / "second/h.h")
        store.settle()
        seen = store.seen([step])
    assert set(seen.stamps) == {str(tmp_path / name) for name in ("x.c", "x.o", "second/h.h")}
    assert None not in seen.stamps.values()
    assert seen.absent == {
        str(tmp_path): {"h.h"},
        str(tmp_path / "first"): {"h.h"},
        str(tmp_path / "second"): {"second"},  # beside h.h, were it <second/h.h>
    }


def test_a_link_that_a_step_of_the_run_just_made_is_no_edit(tmp_path: Path) -> None:
    step, link = prepare(tmp_path), tmp_path / "machine"
    making = Step("generate:m", "m", Generate((), ((link, tmp_path / "second"),), ()), (), (link,))
    with open_store(tmp_path) as store:
        ticket = store.begin(making, "asked")
        link.symlink_to("second")
        assert record(store, making, ticket)
        assert run_step(store, step, link / "h.h")
        ticket = store.begin(step, "asked")
        link.unlink()
        (tmp_path / "first/h.h").write_text("header")
        link.symlink_to("first")  # this was not a step
        assert not record(store, step, ticket, link / "h.h")


def test_a_path_that_is_no_text_is_kept(tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"\xff\xfe")
    odd.mkdir()
    step = prepare(odd)
    with open_store(odd) as store:
        run_step(store, step, odd / "second/h.h")
    with open_store(odd) as store:
        assert store.stale_reason(step) == ""
    (odd / "second/h.h").write_text("edited")
    with open_store(odd) as store:
        assert store.stale_reason(step) == f"{odd}/second/h.h changed"


def test_a_killed_run_keeps_what_was_recorded_and_mixes_nothing_up(tmp_path: Path) -> None:
    """Numbers of files that a killed run gave out and did not save must not be given out twice."""
    prepare(tmp_path)
    script = f"""
import os, signal, sys
from pathlib import Path
sys.path[:0] = [{str(Path(__file__).parent)!r}]
from storing import Store, make_step, run_step
tmp_path = Path({str(tmp_path)!r})
store = Store(tmp_path / "record" / "store.sqlite3")
for number in range(5):
    store.digest(str(tmp_path / f"looked-at-{{number}}"))
run_step(store, make_step(tmp_path), tmp_path / "second/h.h")
store.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run((sys.executable, "-c", script)).returncode == -9
    step = make_step(tmp_path)
    with open_store(tmp_path) as store:
        assert store.stale_reason(step) == ""
        for number in range(30):
            store.digest(str(tmp_path / f"another-{number}"))
        assert store.stale_reason(step) == ""
    with open_store(tmp_path) as store:
        assert store.stale_reason(step) == ""
    (tmp_path / "x.c").write_text("edited")
    with open_store(tmp_path) as store:
        assert store.stale_reason(step) == f"{tmp_path}/x.c changed"


def test_a_step_without_a_search_path_watches_no_shadows(tmp_path: Path) -> None:
    output = tmp_path / "g"
    step = Step("generate:m", "m", Generate(((output, b""),), (), ()), (), (output,))
    with open_store(tmp_path) as store:
        assert run_step(store, step)
        assert set(store.seen([step]).stamps) == {str(output)}
        assert store.seen([step]).absent == {}


def test_what_is_known_of_files_goes_with_the_last_record_that_names_them(tmp_path: Path) -> None:
    step, other = prepare(tmp_path), make_step(tmp_path / "other")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/x.c").write_text("")
    with open_store(tmp_path) as store:
        for each in (step, replace(other, name="compile:n/x.o")):
            run_step(store, each)
        store.replace_plan("all", ["compile:n/x.o"], [step.record])
        assert store.settle()
        assert store.stale_reason(step) == "it had not been made"
    with open_store(tmp_path) as store:
        assert store.names() == {"compile:n/x.o"}
        assert store.plans() == {"all": {"compile:n/x.o"}}
        assert store.made("compile:n/x.o")


def test_what_two_headers_ask_for_is_recorded_once(tmp_path: Path) -> None:
    step = prepare(tmp_path)
    question = "#if __has_include(<opt.h>)\n#endif\n"
    headers = [tmp_path / "second/h.h", tmp_path / "first/other.h"]
    for header in headers:
        header.write_text(question)
    settle_times()
    with open_store(tmp_path) as store:
        assert run_step(store, step, *headers)
        node = store.find(step.record)
        assert node is not None
        assert len(node.inputs) == len(set(node.inputs)) == 1 + len(headers) + 3
    (tmp_path / "second/opt.h").write_text("")
    with open_store(tmp_path) as store:
        assert "opt.h is new" in store.stale_reason(step)
