"""Taking modules away that others, or the machine itself, need."""

import shutil

from workspace import CLONE, FILES, STAND, Workspace

_FFS = (
    FILES["modules/alpha/alpha.c"].replace("CLASS_MISC, alpha", "CLASS_VFS, ffs")
    .replace("alpha_modcmd", "ffs_modcmd").replace('#include "alpha.h"', "int alpha_count(void);")
    .replace("ALPHA_STEP", "1")
)  # fmt: skip


def test_a_module_that_an_installed_one_requires_is_not_removed_alone(workspace: Workspace) -> None:
    workspace.install()
    before = workspace.digests()
    ran = workspace.run("uninstall", "alpha", "gamma")
    assert (ran.status, ran.out) == (2, ""), ran.out + ran.err
    assert f"{STAND}: nothing was removed, for these are needed" in ran.err
    assert ran.err.endswith("\nalpha: required by beta\n")
    assert workspace.digests() == before
    assert workspace.run("uninstall", "alpha", "beta").status == 0
    assert not workspace.path(f"{STAND}/alpha").exists()


def test_removing_a_needed_module_can_be_insisted_on(workspace: Workspace) -> None:
    workspace.install()
    ran = workspace.run("uninstall", "alpha", "--even-needed")
    assert (ran.status, "removed, though needed:\nalpha: required by beta" in ran.err) == (0, True)
    assert not workspace.path(f"{STAND}/alpha").exists()
    assert workspace.run("verify").status == 2


def test_a_kmod_of_someone_else_that_requires_one_counts_too(workspace: Workspace) -> None:
    workspace.install()
    shutil.copytree(workspace.path(f"{STAND}/beta"), workspace.path("theirs"))
    assert workspace.run("uninstall", "beta").status == 0
    shutil.copytree(workspace.path("theirs"), workspace.path(f"{STAND}/beta"))
    assert workspace.run("uninstall").status == 2
    assert workspace.path(f"{STAND}/gamma/gamma.kmod").exists()


def test_a_module_that_the_machine_starts_with_is_not_removed(workspace: Workspace) -> None:
    workspace.install()
    workspace.write("destdir/boot.cfg", "menu=Boot:load /gamma.kmod;boot\ndefault=1\n")
    workspace.write("destdir/etc/modules.conf", "# these\nbeta\n")
    ran = workspace.run("uninstall")
    assert ran.status == 2
    assert "\nalpha: etc/modules.conf:2 loads it at the start (through beta)\n" in ran.err
    assert "\nbeta: etc/modules.conf:2 loads it at the start\n" in ran.err
    assert "\ngamma: boot.cfg hands it to the kernel\n" in ran.err
    assert "--even-needed (or give --kernel, if that has them built in):\n" in ran.err
    workspace.write("destdir/netbsd", "no kernel")
    assert workspace.run("uninstall").status == 2
    workspace.path("destdir/netbsd").unlink()
    workspace.path("destdir/boot.cfg").unlink()
    workspace.path("destdir/etc/modules.conf").unlink()
    fstab = "/dev/wd0a / gamma rw 1 1\n/dev/wd0e /data beta rw,noauto 1 2\nx none swap sw 0 0\n"
    workspace.write("destdir/etc/fstab", fstab)
    ran = workspace.run("uninstall")
    assert ran.err.endswith(":\ngamma: etc/fstab:1 mounts its root with it\n")
    assert workspace.run("uninstall", "beta").status == 0


def test_pruning_leaves_what_is_still_required_and_says_so(workspace: Workspace) -> None:
    workspace.install()
    for name in ("alpha", "gamma"):
        for suffix in ("yaml", "c"):
            workspace.path(f"modules/{name}/{name}.{suffix}").unlink()
    ran = workspace.run("install", "--prune")
    assert ran.status == 2, ran.out + ran.err
    assert "1 left-over module stayed, being needed" in ran.err
    assert ran.err.endswith("\nalpha: required by beta\n")
    assert workspace.path(f"{STAND}/alpha/alpha.kmod").exists()
    assert not workspace.path(f"{STAND}/gamma").exists()
    assert workspace.run("verify").status == 0
    assert workspace.run("uninstall", "--left-over").status == 2
    assert workspace.run("uninstall", "--left-over", "--even-needed").status == 0


def test_what_the_kernel_has_built_in_is_not_needed_as_a_file(workspace: Workspace) -> None:
    name = "ffs"  # which GENERIC has built in
    for path, text in (("ffs.yaml", "class: vfs\nsources: [ffs.c]\n"), ("ffs.c", _FFS)):
        workspace.write(f"modules/{name}/{path}", text)
    workspace.install()
    workspace.write("destdir/etc/fstab", "/dev/wd0a / ffs rw 1 1\n")
    assert workspace.run("uninstall", name).status == 2
    kernel = next((CLONE / "toolchain/kernel").glob("amd64-*"))
    assert workspace.run("uninstall", name, "--kernel", str(kernel)).status == 0
