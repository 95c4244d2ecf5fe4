"""What changed in a source tree is built again, where make itself would not notice."""

import pytest
from treeworkspace import TreeWorkspace

CHANGES = {
    "a header that assym.h is made from": (
        "sys/dev/shape.h", "char kind;", "char kind;\n\tlong more;", {"tables"},
    ),
    "what config reads": ("sys/conf/files", "what", "which\n# what", {"device"}),
    "the description of devices": (
        "sys/modules/device/device.ioconf", "device 4", "device 5", {"device"},
    ),
    "flags in a makefile": ("sys/modules/plain/Makefile", "SHARED=3", "SHARED=4", {"plain"}),
    "a linker script": (
        "sys/modules/sets/Makefile", "MKLDSCRIPT= yes", "MKLDSCRIPT= yes\nWARNS= 0", {"sets"},
    ),
    "a source": ("sys/modules/null/null.c", "ENOTTY", "EINVAL", {"null"}),
    "a header found through a machine link": (
        "sys/arch/x86/include/x86number.h", "NUMBER 86", "NUMBER 87", {"plain"},
    ),
}  # fmt: skip


def read_all(tree: TreeWorkspace) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in tree.work.glob("obj/*/*/*.kmod")}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_builds_what_depends_on_it_and_nothing_else(
    tree: TreeWorkspace, name: str
) -> None:
    path, old, new, expected = CHANGES[name]
    tree.build()
    before = read_all(tree)
    tree.edit(path, old, new)
    ran = tree.build()
    after = read_all(tree)
    changed = {module for module in after if before[module] != after[module]}
    if path.endswith(("ioconf", ".mk")) or "WARNS" not in new:
        assert changed == expected
    linked = {line.split()[-1] for line in ran.text.splitlines() if line.startswith("#      link")}
    assert {word.partition("/")[0] for word in linked} == expected


def test_a_new_source_that_a_makefile_asks_for_is_built(tree: TreeWorkspace) -> None:
    tree.build("single")
    tree.write("sys/modules/single/absent.c", "int single_absent = 1;\n")
    tree.build("single")
    assert (tree.objects("single") / "absent.o").exists()


def test_a_variable_of_the_environment_is_a_change(tree: TreeWorkspace) -> None:
    tree.build("null")
    before = (tree.objects("null") / "null.kmod").read_bytes()
    tree.variables["COPTS"] = "-g"
    tree.build("null")
    assert (tree.objects("null") / "null.kmod").read_bytes() != before


def test_another_release_is_seen_behind_a_shell_call(tree: TreeWorkspace) -> None:
    assert tree.run("install", "null").status == 0
    tree.edit("sys/sys/param.h", "1099001200", "1099001300")
    ran = tree.run("install", "null")
    assert "10.99.13" in ran.text, ran.text
    assert (tree.work / "destdir/stand/amd64/10.99.13/modules/null/null.kmod").exists()


def test_an_edit_of_param_h_that_leaves_the_release_starts_no_make(tree: TreeWorkspace) -> None:
    tree.build("offers", "null")
    tree.count_makes()
    tree.edit("sys/sys/param.h", "#define", "#define HAS_MORE 1\n#define")
    ran = tree.build("offers", "null")
    assert "compile  offers/offers.o" in ran.text
    assert tree.count_makes() == 0
    tree.edit("sys/sys/param.h", "1099001200", "1099001300")
    tree.build("offers", "null")
    assert tree.count_makes() > 0


def test_what_is_generated_into_an_object_directory_behind_a_link_is_seen(
    tree: TreeWorkspace,
) -> None:
    (tree.directory / "elsewhere").mkdir()
    (tree.work / "obj").symlink_to(tree.directory / "elsewhere")
    tree.build("device")
    tree.edit("sys/modules/device/device.ioconf", "device 4", "device 5")
    assert "changed meanwhile" not in tree.build("device").text
    tree.build("device", "-O", "anew")
    anew = tree.work / "anew/amd64-x86_64/device/device.kmod"
    assert (tree.objects("device") / "device.kmod").read_bytes() == anew.read_bytes()
    assert "Nothing to do" in tree.build("device").text
