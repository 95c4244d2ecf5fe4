"""A whole source tree, built by make and by modbuild: the same bytes, and no make without need."""

import time
from pathlib import Path

import pytest
from treeworkspace import TreeWorkspace, find_program

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


def test_nothing_is_written_into_the_source_tree(tree: TreeWorkspace) -> None:
    before = tree.list_source()
    tree.build()
    assert tree.run("install", "-q").status == 0
    tree.run("import", "-o", "descriptors")
    assert tree.list_source() == before


def test_modules_built_from_imported_descriptors_have_the_same_bytes(tree: TreeWorkspace) -> None:
    tree.build()
    assert tree.run("import", "-o", "descriptors").status == 0
    tree.count_makes()
    names = sorted(path.parent.name for path in tree.work.glob("descriptors/*/*.yaml"))
    assert tuple(names) == MODULES
    tree.build("--modules", "descriptors", "--objdir", "again")
    assert tree.count_makes() == 0
    for name in names:
        if name != "tables":  # a makefile's own rule for assym.h aside, checked below
            again = tree.work / f"again/amd64-x86_64/{name}/{name}.kmod"
            assert again.read_bytes() == (tree.objects(name) / f"{name}.kmod").read_bytes(), name


def test_a_descriptor_says_only_what_its_base_does_not(tree: TreeWorkspace) -> None:
    tree.run("import", "-o", "descriptors")
    lines = (tree.work / "descriptors/single/single.yaml").read_text().splitlines()
    assert lines[1:] == [
        "kmod: single",
        "class: misc",
        "sources:",
        "  - '${S}/modules/single/single.c'",
        "  - '${S}/modules/single/spelled.S'",
        "  - '${S}/modules/single/further.c'",
        "source_flags:",
        "  spelled.S: [-DSPELLED=9]",
        "stock:",
        "  base: '../stock-1.yaml'",
        "  directory: '${S}/modules/single'",
    ]
    null = (tree.work / "descriptors/null/null.yaml").read_text()
    assert "kmod: 'null'\n" in null


def test_examples_are_built_and_not_installed(tree: TreeWorkspace) -> None:
    ran = tree.run("install")
    assert ran.status == 0, ran.text
    installed = {path.stem for path in (tree.work / "destdir").rglob("*.kmod")}
    assert installed == set(MODULES) - {"sample"}
    assert f"{len(MODULES)} checked, {len(installed)} installed in " in ran.text
    assert (tree.objects("sample") / "sample.kmod").exists()


def test_modules_of_kernel_dir_go_below_netbsd(tree: TreeWorkspace) -> None:
    tree.variables["KERNEL_DIR"] = "yes"
    assert tree.run("install", "null").status == 0
    assert (tree.work / "destdir/netbsd/modules/null/null.kmod").exists()


def test_debugging_information_is_split_off_as_make_does(tree: TreeWorkspace) -> None:
    tree.variables["MKDEBUG"] = "yes"
    tree.build("plain")
    debug = tree.objects("plain") / "plain.kmod.debug"
    kmod = (tree.objects("plain") / "plain.kmod").read_bytes()
    assert b".gnu_debuglink" in kmod
    assert b"plain.kmod.debug" in kmod
    assert b".debug_info" in debug.read_bytes()


def test_split_modules_have_the_bytes_of_make_where_the_paths_are_the_same(
    tree: TreeWorkspace,
) -> None:
    tree.variables["MKDEBUG"] = "yes"
    tree.build("plain")
    ours = (tree.objects("plain") / "plain.kmod").read_bytes()
    tree.objects("plain").rename(tree.objects("kept"))
    tree.build_stock_at("plain", tree.objects("plain"))
    assert (tree.objects("plain") / "plain.kmod").read_bytes() == ours


def test_a_variant_of_the_tree_is_built_with_its_own_directory(tree: TreeWorkspace) -> None:
    tree.variables["MKCOMPATMODULES"] = "yes"
    ran = tree.run("install", "null")
    assert ran.status in (0, 2), ran.text
    assert "sys/modules/arch/other:\n" in ran.text
    for directory in ("amd64", "amd64-other"):
        path = f"destdir/stand/{directory}/10.99.12/modules/null/null.kmod"
        assert (tree.work / path).exists()


def test_what_cannot_be_built_is_named_with_its_line_and_the_others_go_on(
    tree: TreeWorkspace,
) -> None:
    tree.variables["MKEXTRA"] = "yes"
    ran = tree.run("build")
    assert ran.status == 1
    assert "with -k the other modules are built" in ran.text
    ran = tree.run("build", "-k")
    assert ran.status == 1
    makefile = tree.source / "sys/modules/lacking/Makefile"
    assert f"{makefile}:4: nowhere.c does not exist in any directory of .PATH" in ran.text
    assert f"{tree.source}/sys/modules/faulty/Makefile:3: Malformed conditional" in ran.text
    assert "11 built" in ran.text


def test_a_named_module_does_not_need_directories_that_cannot_be_built(
    tree: TreeWorkspace,
) -> None:
    tree.variables["MKEXTRA"] = "yes"
    ran = tree.run("build", "null")
    assert ran.status == 0, ran.text
    assert "not built" not in ran.text
    ran = tree.run("build", "lacking")
    assert ran.status == 1
    assert "nowhere.c does not exist in any directory of .PATH" in ran.text


def test_a_module_of_ones_own_is_built_with_the_tree(tree: TreeWorkspace) -> None:
    own = tree.work / "mine"
    own.mkdir()
    (own / "Makefile").write_text(
        f"S= {tree.source}/sys\nKMOD= mine\nSRCS= mine.c\n.include <bsd.kmodule.mk>\n"
    )
    text = (tree.source / "sys/modules/null/null.c").read_text()
    (own / "mine.c").write_text(text.replace("null", "mine"))
    ran = tree.run("build", "./mine")
    assert ran.status == 0, ran.text
    assert (tree.objects("mine") / "mine.kmod").exists()
    assert not (tree.objects("null") / "null.kmod").exists()
    assert sorted(path.name for path in own.iterdir()) == ["Makefile", "mine.c"]


def test_import_where_descriptors_stand_for_the_tree_says_so(tree: TreeWorkspace) -> None:
    assert tree.run("import", "-o", "modules").status == 0
    ran = tree.run("import", "-o", "again")
    assert ran.status == 3
    assert "work/modules: import reads the makefiles of a source tree, and here" in ran.text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("KMOD= .hidden", "Makefile:2: KMOD is '.hidden', expected a name of letters"),
        ("KMOD= ../../up", "Makefile:2: KMOD is '../../up', expected a name of letters"),
        ('KMOD= mine\nCPPFLAGS+= -DA="b', "Makefile: a quote that is not closed, in the words: "),
    ],
)
def test_words_that_cannot_be_followed_are_told(
    tree: TreeWorkspace, line: str, message: str
) -> None:
    own = tree.work / "mine"
    own.mkdir()
    (own / "Makefile").write_text(
        f"S= {tree.source}/sys\n{line}\nSRCS= mine.c\n.include <bsd.kmodule.mk>\n"
    )
    (own / "mine.c").write_text("int x;\n")
    ran = tree.run("build", "./mine")
    assert ran.status == 1
    assert f"mine/{message}" in ran.text


def test_the_trampolines_of_arm_are_those_of_make(tree: TreeWorkspace) -> None:
    stock = tree.directory / "stock"
    tree.build_stock(stock, machine="evbarm")
    ran = tree.run("build", "--machine", "evbarm-earmv7hf")
    kmod = tree.work / "obj/evbarm-earmv7hf/calls/calls.kmod"
    assert kmod.exists(), ran.text
    theirs = next(stock.rglob("calls.kmod"))
    assert kmod.read_bytes() == theirs.read_bytes()
    assert b"__wrap_kernel_number" in kmod.read_bytes()


def test_the_trampolines_of_arm_need_no_tooldir(tree: TreeWorkspace) -> None:
    ran = tree.run("build", "calls", "--machine", "evbarm-earmv7hf", "--toolchain", "zig")
    kmod = tree.work / "obj/evbarm-earmv7hf/calls/calls.kmod"
    assert kmod.exists(), ran.text
    assert b"__wrap_kernel_number" in kmod.read_bytes()


def test_parity_names_the_flag_that_differs(tree: TreeWorkspace) -> None:
    tree.build("plain")
    stock = tree.directory / "stock"
    tree.edit("sys/modules/plain/Makefile", "SHARED=3", "SHARED=4")
    tree.build_stock_at("plain", stock / "plain")
    tree.edit("sys/modules/plain/Makefile", "SHARED=4", "SHARED=3")
    ran = tree.run("parity", "--against", str(stock), "plain")
    assert ran.status == 2
    assert "plain: section .data: bytes differ from offset" in ran.text
    assert ", in shared_number\n" in ran.text
    tree.edit("sys/modules/plain/Makefile", "COPTS.shared.c= -O1", "COPTS.shared.c= -O0")
    ran = tree.run("parity", "--against", str(stock), "plain")
    assert "1 different" in ran.text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("MACHINE_ARCH=x86_64", "MACHINE_ARCH=aarch64", "is for MACHINE_ARCH aarch64, not x86_64"),
        ("NETBSDSRCDIR=", "NETBSDSRCDIR=/other", "for the source tree (NETBSDSRCDIR), not"),
    ],
)
def test_a_make_for_another_machine_or_tree_is_refused(
    tree: TreeWorkspace, old: str, new: str, message: str
) -> None:
    wrapper = tree.tooldir / "bin/nbmake-amd64"
    wrapper.write_text(wrapper.read_text().replace(old, new))
    ran = tree.run("build")
    assert ran.status == 1
    assert message in ran.text


def test_link_sets_that_the_rules_know_nothing_of_are_left_alone(tree: TreeWorkspace) -> None:
    path = "share/mk/bsd.kmodule.mk"
    tree.edit(path, "KMODSCRIPT= kldscript\n", "KMODSCRIPT= ${KMODSCRIPTSRC}\n")
    tree.run("build", "sets")  # whose symbols nothing offers then
    assert (tree.objects("sets") / "sets.kmod").exists()
    assert not (tree.objects("sets") / "kldscript").exists()


def test_a_module_named_receipts_has_the_bytes_of_make(tree: TreeWorkspace) -> None:
    """Its flags name its object directory, which is not the one that receipts have."""
    text = (tree.source / "sys/modules/null/Makefile").read_text()
    own = "CPPFLAGS+= -I${.OBJDIR}/own\n.include <bsd.kmodule.mk>"
    text = text.replace("null", "receipts").replace(".include <bsd.kmodule.mk>", own)
    tree.write("sys/modules/receipts/Makefile", text)
    source = (tree.source / "sys/modules/null/null.c").read_text()
    source = source.replace("null", "receipts").replace("#include", "#include <own.h>\n#include", 1)
    tree.write("sys/modules/receipts/receipts.c", source)
    tree.edit("sys/modules/Makefile", "examples null", "examples null receipts")
    own_header = tree.objects(".receipts") / "own/own.h"
    own_header.parent.mkdir(parents=True)
    own_header.write_text("/* found by -I */\n")
    tree.build("receipts")
    assert (tree.objects(".receipts") / "receipts.kmod").exists()


def test_what_cannot_be_built_is_told_again_without_a_look_at_the_tree(
    tree: TreeWorkspace,
) -> None:
    tree.variables["MKEXTRA"] = "yes"
    assert tree.run("build", "-k").status == 1
    time.sleep(1.1)  # a file that was written just now may change under the same stamp
    tree.run("build", "-k")
    again = tree.run("build", "-k", python=("-X", "importtime"))
    assert again.status == 1
    assert "buildsys.snapshot" in again.text
    assert "buildsys.cli" not in again.text
    assert "lacking/Makefile:4: nowhere.c does not exist in any directory of .PATH" in again.text
    assert "Nothing to do: 11 modules are up to date" in again.text
    tree.write("sys/modules/lacking/nowhere.c", "int nowhere_number = 1;\n")
    ran = tree.run("build", "-k")
    assert ran.status == 1
    assert "nowhere.c does not exist" not in ran.text
    assert (tree.objects("lacking") / "lacking.kmod").exists()


def test_an_object_with_a_rule_of_its_own_is_refused_with_its_line(tree: TreeWorkspace) -> None:
    rule = "further.o: further.c\n\ttouch ${.TARGET}\n.include <bsd.kmodule.mk>"
    tree.edit("sys/modules/single/Makefile", ".include <bsd.kmodule.mk>", rule)
    ran = tree.run("build", "-k")
    assert ran.status == 1
    makefile = tree.source / "sys/modules/single/Makefile"
    assert f"{makefile}:10: further.o has a rule of its own" in ran.text
    # A rule that only adds a dependency changes no command.
    tree.edit("sys/modules/single/Makefile", "\ttouch ${.TARGET}\n", "")
    tree.build("single")


def test_a_second_run_starts_no_make(tree: TreeWorkspace) -> None:
    """Shown by a trace of every program that starts, with work to do in one module."""
    strace = find_program("strace")
    tree.build()
    tree.edit("sys/modules/null/null.c", "ENOTTY", "EINVAL")
    trace = tree.directory / "trace"
    before = ("-f", "-qq", "-e", "trace=execve", "-e", "signal=none", "-o", str(trace))
    ran = tree.run("build", before=(strace, *before))
    assert ran.status == 0, ran.text
    started = {Path(line.split('"')[1]).name for line in trace.read_text().splitlines()}
    assert not {name for name in started if "make" in name}
    assert "x86_64--netbsd-clang" in started  # the trace sees what does run


WRITING = (
    "open", "openat", "creat", "mkdir", "mkdirat", "rename", "renameat", "renameat2", "unlink",
    "unlinkat", "symlink", "symlinkat", "link", "linkat", "truncate", "chmod", "fchmodat",
)  # fmt: skip


def test_nothing_of_the_tree_is_written_even_by_its_parsers_and_config(
    tree: TreeWorkspace,
) -> None:
    """The tree is read-only for its owner; opening for writing anything in it is counted, too."""
    strace = find_program("strace")
    trace = tree.directory / "trace"
    calls = f"trace={','.join(WRITING)}"
    options = ("-f", "-qq", "-s", "4096", "-e", calls, "-e", "signal=none", "-o", str(trace))
    ran = tree.run("build", "tables", "device", "sets", before=(strace, *options))
    assert ran.status == 0, ran.text
    source = str(tree.source)
    lines = [line for line in trace.read_text().splitlines() if source in line]
    opened = [line for line in lines if "O_WRONLY" in line or "O_RDWR" in line or "O_CREAT" in line]
    assert [line for line in opened if f'"{source}' in line] == []
    others = [line for line in lines if "open" not in line.split("(")[0]]
    assert [line for line in others if not is_link_into(line, source)] == []
    assert any("grammar.y" in line for line in lines)


def is_link_into(line: str, source: str) -> bool:
    """Tell whether a call makes a link whose target is in the tree: the target is not touched."""
    return "symlink" in line and f'"{source}' in line.split(",", maxsplit=1)[0]
