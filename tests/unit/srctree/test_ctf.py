"""MKCTF: ctfconvert over each object and ctfmerge over the kmod, as the makefiles say."""

from treeworkspace import TreeWorkspace


def test_kmods_with_ctf_are_those_of_make(tree: TreeWorkspace) -> None:
    tree.variables["MKCTF"] = "yes"
    stock = tree.directory / "stock"
    tree.build_stock(stock)
    tree.build()
    ran = tree.run("parity", "--against", str(stock))
    assert ran.status == 0, ran.text
    assert "11 identical, 0 different" in ran.text
    kmod = (tree.objects("plain") / "plain.kmod").read_bytes()
    assert b"-g -L VERSION" in kmod
    assert b" -g -t 2\n" in kmod


def test_trampolines_with_ctf_are_those_of_make(tree: TreeWorkspace) -> None:
    tree.variables["MKCTF"] = "yes"
    stock = tree.directory / "stock"
    tree.build_stock(stock, machine="evbarm")
    tree.run("build", "--machine", "evbarm-earmv7hf")
    ours = (tree.work / "obj/evbarm-earmv7hf/calls/calls.kmod").read_bytes()
    assert next(stock.rglob("calls.kmod")).read_bytes() == ours
    assert b"SUNW_ctf" in ours


def test_modules_imported_with_ctf_have_the_same_bytes(tree: TreeWorkspace) -> None:
    tree.variables["MKCTF"] = "yes"
    tree.build("null", "plain")
    assert tree.run("import", "-o", "descriptors").status == 0
    tree.build("--modules", "descriptors", "--objdir", "again", "null", "plain")
    for name in ("null", "plain"):
        again = tree.work / f"again/amd64-x86_64/{name}/{name}.kmod"
        assert again.read_bytes() == (tree.objects(name) / f"{name}.kmod").read_bytes()


def test_another_ctfconvert_makes_objects_stale(tree: TreeWorkspace) -> None:
    tree.variables["MKCTF"] = "yes"
    tree.build("null")
    tool = tree.tooldir / "bin/nbctfconvert"
    tool.write_text(tool.read_text() + "# other\n")
    assert "compile  null/null.o" in tree.build("null").text


def test_a_missing_tool_is_told_before_anything_is_built(tree: TreeWorkspace) -> None:
    tree.variables["MKCTF"] = "yes"
    (tree.tooldir / "bin/nbctfconvert").unlink()
    ran = tree.run("build")
    assert ran.status == 1
    makefile = tree.source / "sys/modules/calls/Makefile"
    assert "no ctfconvert found: looked for nbctfconvert" in ran.text
    assert f"{makefile.parent.parent}/" in ran.text
    assert "with -k the other modules are built" in ran.text
    assert not list(tree.work.glob("obj/*/*/*.o"))


def test_who_asks_for_a_module_that_cannot_be_built_is_told_why(tree: TreeWorkspace) -> None:
    (tree.tooldir / "bin/nbconfig").unlink()
    for words in (("build", "-k"), ("build",), ("why",), ("deps",)):
        ran = tree.run(*words, "device")
        assert ran.status == 1, ran.text
        assert "device/Makefile: toolchain tooldir: no config found" in ran.text
    tree.edit("sys/modules/sets/Makefile", "KMOD=", ".if ${UNKNOWN_WORD}\n.endif\nKMOD=")
    ran = tree.run("build", "-k", "sets")
    assert ran.status == 1
    assert "sets/Makefile:2: " in ran.text


def test_without_config_the_modules_that_need_none_are_built(tree: TreeWorkspace) -> None:
    (tree.tooldir / "bin/nbconfig").unlink()
    ran = tree.run("build", "-k")
    assert ran.status == 1
    assert "modules/device/Makefile: toolchain tooldir: no config found" in ran.text
    assert "10 built" in ran.text
