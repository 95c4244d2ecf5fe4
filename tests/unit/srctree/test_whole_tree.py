"""A whole source tree, built by make and by modbuild: the same bytes, and no make without need."""

from treeworkspace import TreeWorkspace

MODULES = (
    "device", "inner", "nested", "null", "offers", "outside", "plain", "sample", "sets", "single",
    "tables",
)  # fmt: skip


def test_every_module_of_the_tree_has_the_bytes_of_make(built: TreeWorkspace) -> None:
    theirs = {path.stem: path for path in (built.directory / "stock").rglob("*.kmod")}
    assert tuple(sorted(theirs)) == MODULES
    for name, path in theirs.items():
        assert (built.objects(name) / f"{name}.kmod").read_bytes() == path.read_bytes(), name


def test_parity_finds_the_same_bytes_and_the_same_flags(built: TreeWorkspace) -> None:
    ran = built.run("parity", "--against", str(built.directory / "stock"), "--flags")
    assert ran.status == 0, ran.text
    assert ran.text == f"{len(MODULES)} modules on both sides: 11 identical, 0 different\n"


def test_make_runs_once_a_directory_and_then_no_more(tree: TreeWorkspace) -> None:
    tree.build("null")
    assert tree.count_makes() > len(MODULES)
    tree.build("null")
    assert tree.count_makes() == 0
    tree.build("plain")  # nor for other work in the same tree
    assert tree.count_makes() == 0
