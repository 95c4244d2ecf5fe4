"""Inputs behind links that lead elsewhere: followed to copies, and not to anything else."""

import os
from pathlib import Path

import pytest

from buildsys.pipeline.relinked import follow_links
from buildsys.pipeline.storevalues import PREFIX_BYTES, digest_any


class Tree:
    """Directories one and two of equal headers, and a link 'way' to the first."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("one", "two"):
            self.write(f"{name}/a.h", "a")
            self.write(f"{name}/b.h", "b")
        (root / "way").symlink_to("one")
        self.seen: dict[str, bytes] = {}

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def see(self, *names: str) -> None:
        """Take down what files hold, as a step does that ran."""
        paths = [f"{self.root}/{name}" for name in names]
        self.seen = {path: digest_any(path)[:PREFIX_BYTES] for path in paths}

    def relink(self) -> None:
        (self.root / "way").unlink()
        (self.root / "way").symlink_to("two")

    def follow(self, *roots: str) -> tuple[str, ...] | None:
        """Give the names below the root that the inputs are now."""
        places = [f"{self.root}/{root}" for root in roots]
        found = follow_links(self.seen, places, digest_any)
        return None if found is None else tuple(os.path.relpath(path, self.root) for path in found)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_copies_take_the_places_of_what_was_read(tree: Tree) -> None:
    tree.see("way", "one/a.h", "one/b.h")
    tree.relink()
    assert tree.follow("way") == ("way", "two/a.h", "two/b.h")


def test_what_may_have_been_read_by_another_way_stays(tree: Tree) -> None:
    (tree.root / "other").symlink_to("one")
    tree.see("way", "one/a.h")
    tree.relink()
    assert tree.follow("way", "one") == ("way", "one/a.h", "two/a.h")
    (tree.root / "way").unlink()
    (tree.root / "way").symlink_to("one")
    tree.see("way", "other", "one/a.h")
    tree.relink()
    assert tree.follow("way") == ("way", "other", "one/a.h", "two/a.h")


@pytest.mark.parametrize("text", ["other", "#pragma once\n", "# import <x.h>"])
def test_no_other_content_is_followed_nor_what_counts_by_its_place(tree: Tree, text: str) -> None:
    for name in ("one",) if text == "other" else ("one", "two"):
        tree.write(f"{name}/a.h", text)
    tree.see("way", "one/a.h")
    tree.relink()
    assert tree.follow("way") is None


def test_a_file_that_changed_beside_is_not_overlooked(tree: Tree) -> None:
    tree.write("x.c", "source")
    tree.see("x.c", "way", "one/a.h")
    tree.relink()
    tree.write("x.c", "edited")
    assert tree.follow("way") is None
    tree.see("x.c", "way", "two/a.h")
    assert tree.follow("way") is None


def test_a_copy_that_lacks_a_file_is_none(tree: Tree) -> None:
    tree.see("way", "one/a.h", "one/b.h")
    tree.relink()
    (tree.root / "two/b.h").unlink()
    assert tree.follow("way") is None


def test_a_way_that_leads_nowhere_or_was_taken_twice_is_none(tree: Tree) -> None:
    tree.see("way", "way/.", "one/a.h")
    tree.relink()
    assert tree.follow("way") is None
    (tree.root / "way").unlink()
    tree.seen.pop(f"{tree.root}/way/.")
    assert tree.follow("way") is None


def test_what_became_of_the_former_file_is_of_no_account(tree: Tree) -> None:
    tree.see("way", "one/a.h")
    tree.relink()
    tree.write("one/a.h", "edited")
    assert tree.follow("way") == ("way", "two/a.h")
    assert tree.follow("way", "one") is None  # it may be read by its own name
