"""A module's directory is never one that is kept."""

from pathlib import Path

from buildsys.pipeline.objdir import KEPT, objects_directory


def test_a_module_has_the_directory_of_its_name() -> None:
    assert objects_directory(Path("/o"), "null") == Path("/o/null")


def test_a_module_named_as_what_is_kept_has_another() -> None:
    for name in KEPT:
        assert objects_directory(Path("/o"), name).name not in KEPT
