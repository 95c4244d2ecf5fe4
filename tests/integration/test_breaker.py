"""What a reader who wanted to break it broke: each once."""

from pathlib import Path

from workspace import Workspace, make_workspace


def test_what_the_assembler_reads_makes_a_source_stale(workspace: Workspace) -> None:
    blob = workspace.write("modules/gamma/blob.bin", b"one!")
    workspace.write("modules/gamma/blob.S", f'\t.section .rodata\n\t.incbin "{blob}"\n')
    asm = '__asm__(".include \\"aux.inc\\"");\n'
    workspace.edit("modules/gamma/tables.c", "#include <limits.h>\n", f"#include <limits.h>\n{asm}")
    workspace.write("modules/gamma/aux.inc", "/* empty */\n")
    workspace.edit("modules/gamma/gamma.yaml", "tables.c]", "tables.c, blob.S]")
    workspace.edit("modules/gamma/gamma.yaml", "include: [", "include: [., ")
    workspace.install()
    assert workspace.install().is_nothing_to_do
    workspace.write("modules/gamma/blob.bin", b"two!")
    assert "compile:gamma/blob.o" in workspace.install().steps
    workspace.write("modules/gamma/aux.inc", "/* edited */\n")
    assert "compile:gamma/tables.o" in workspace.install().steps


def test_a_file_of_flags_is_refused(workspace: Workspace) -> None:
    workspace.write("modules/gamma/flags", "-DVAL=1\n")
    workspace.edit("modules/gamma/gamma.yaml", "defines:", 'cflags: ["@flags"]\ndefines:')
    ran = workspace.run("build")
    assert ran.status == 1
    assert "cflags: expected a flag, written out here, got @flags" in ran.err


def test_links_before_dots_are_followed(workspace: Workspace) -> None:
    real = workspace.path("real/deep")
    real.mkdir(parents=True)
    workspace.path("link").symlink_to(real)
    workspace.install("-D", "link/../dd", "-O", "link/../oo")
    assert (workspace.path("real/dd/METALOG")).exists()
    assert not workspace.path("dd").exists()
    assert workspace.install("-D", "link/../dd", "-O", "link/../oo").is_nothing_to_do


def test_a_percent_sign_in_a_path_is_no_pattern(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "ws%2Ffeature")
    workspace.install()
    assert workspace.install().is_nothing_to_do


def test_no_module_for_this_machine_is_said(workspace: Workspace) -> None:
    for name in ("alpha", "beta", "gamma"):
        path = f"modules/{name}/{name}.yaml"
        workspace.write(path, workspace.path(path).read_text() + "machines: [i386]\n")
    ran = workspace.run("install")
    assert ran.status == 0
    assert "no module is for amd64-x86_64" in ran.out


def test_a_damaged_record_mends_itself(workspace: Workspace) -> None:
    workspace.install()
    store = workspace.path("obj/amd64-x86_64/.modbuild/store.sqlite3")
    for suffix in ("-wal", "-shm"):
        store.with_name(store.name + suffix).unlink(missing_ok=True)
    content = bytearray(store.read_bytes())
    for page in range(4096, len(content), 4096):
        content[page : page + 100] = b"\xa5" * 100
    store.write_bytes(content)
    workspace.edit("modules/second/shape.h", "3", "5")
    ran = workspace.run("install")
    assert ran.status in (0, 1)
    assert workspace.install().status == 0


def test_nothing_counts_as_installed_when_the_switch_failed(workspace: Workspace) -> None:
    workspace.path("destdir").mkdir()
    workspace.path("elsewhere").mkdir()
    workspace.path("destdir/stand").symlink_to("../elsewhere")
    ran = workspace.run("install")
    assert ran.status == 1
    assert "3 modules: 3 built, 3 checked, 0 installed" in ran.err


def test_info_shows_the_good_file_beside_the_bad_one(workspace: Workspace) -> None:
    workspace.install()
    good = next(workspace.path("destdir").rglob("alpha.kmod"))
    bad = workspace.write("bad.kmod", b"no ELF")
    ran = workspace.run("info", str(bad), str(good))
    assert ran.status == 1
    assert "name      alpha" in ran.out
    assert "bad.kmod" in ran.err


def test_temporary_names_leave_no_trace(workspace: Workspace) -> None:
    workspace.install()
    kmod = next(workspace.path("obj").rglob("alpha.kmod"))
    assert b".modbuild." not in kmod.read_bytes()
