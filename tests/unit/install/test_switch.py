"""Installing over the whole modules directory: what appears, what stays, what is refused."""

import os
import resource
import threading
from pathlib import Path

import installing
import pytest
from installing import MEMORY, install, installation_in, order, place_in

from buildsys.base.errors import BuildsysError
from buildsys.base.files import temporary_beside
from buildsys.base.locks import hold_directory
from buildsys.install.history import load_generations, prune_history
from buildsys.install.installation import Installation
from buildsys.install.layout import InstallPlace
from buildsys.install.lookup import HostSystem
from buildsys.install.order import load_order, order_kmod, write_order
from buildsys.install.receipt import load_receipts
from buildsys.install.switch import Switch, describe_switch, switch_modules

OLD, NEW, PLIST = b"\x7fELF old", b"\x7fELF new " * 1000, b"<plist/>"
MODULES = "destdir/stand/amd64/10.99.12/modules"


def contents(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def switch(directory: Path, *names: str, content: bytes = NEW) -> Switch:
    orders = [order(directory, name, content) for name in names]
    return switch_modules(orders, installation_in(directory))


def test_files_appear_where_the_kernel_looks(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        receipt = install(tmp_path, "hello", NEW, PLIST)
    finally:
        os.umask(before)
    directory = tmp_path / MODULES / "hello"
    assert contents(directory) == {"hello.kmod": NEW, "hello.plist": PLIST}
    assert {path.stat().st_mode & 0o7777 for path in directory.iterdir()} == {0o444}
    above = [directory, *directory.parents][:5]
    assert {path.stat().st_mode & 0o7777 for path in above} == {0o755}
    assert load_receipts(installation_in(tmp_path).receipts) == (receipt,)
    assert [file.target.name for file in receipt.files] == ["hello.plist", "hello.kmod"]
    assert load_generations(installation_in(tmp_path).history) == ()


def test_an_order_is_read_as_it_was_written(tmp_path: Path) -> None:
    wanted = order(tmp_path, "hello", NEW, PLIST)
    path = tmp_path / "hello.order.json"
    write_order(path, wanted)
    assert load_order(path) == wanted
    path.write_bytes(path.read_bytes().replace(b'"sources"', b'"source"'))
    with pytest.raises(BuildsysError, match="not an order of this version"):
        load_order(path)


def test_nothing_changes_when_all_is_there(tmp_path: Path) -> None:
    switch(tmp_path, "a", "b")
    inode = (tmp_path / MODULES).stat().st_ino
    again = switch(tmp_path, "a", "b")
    assert not again.is_changed
    assert (tmp_path / MODULES).stat().st_ino == inode
    assert load_generations(installation_in(tmp_path).history) == ()


def test_what_did_not_change_is_the_same_file_in_both_generations(tmp_path: Path) -> None:
    switch(tmp_path, "a", "b", content=OLD)
    before = (tmp_path / MODULES / "b/b.kmod").stat()
    assert switch(tmp_path, "a").is_changed
    assert contents(tmp_path / MODULES) == {"a/a.kmod": NEW, "b/b.kmod": OLD}
    after = (tmp_path / MODULES / "b/b.kmod").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    (former,) = load_generations(installation_in(tmp_path).history)
    assert former.number == 1
    assert contents(former.tree) == {"a/a.kmod": OLD, "b/b.kmod": OLD}
    assert [receipt.name for receipt in former.receipts] == ["a", "b"]


@pytest.mark.parametrize("harm", ["content", "mode", "missing"])
def test_a_file_that_was_harmed_is_written_anew_and_not_shared(tmp_path: Path, harm: str) -> None:
    switch(tmp_path, "a", "b")
    kmod = tmp_path / MODULES / "a/a.kmod"
    if harm == "missing":
        kmod.unlink()
    else:
        kmod.chmod(0o644)
    if harm == "content":
        kmod.write_bytes(b"rotten")
    assert switch(tmp_path, "a", "b").is_changed
    assert kmod.read_bytes() == NEW
    assert kmod.stat().st_mode & 0o7777 == 0o444
    assert kmod.stat().st_nlink == 1


def test_files_of_others_are_kept_and_named(tmp_path: Path) -> None:
    modules = tmp_path / MODULES
    (modules / "stock").mkdir(parents=True)
    (modules / "stock").chmod(0o700)
    (modules / "stock/stock.kmod").write_bytes(b"of someone")
    (modules / "empty").mkdir()
    (modules / "way").symlink_to("nowhere")
    os.mkfifo(modules / "pipe")
    done = switch(tmp_path, "hello")
    assert done.foreign == ("pipe", "stock/stock.kmod", "way")
    assert describe_switch(done).endswith(": pipe, stock/stock.kmod, way")
    assert (modules / "stock/stock.kmod").read_bytes() == b"of someone"
    assert (modules / "stock").stat().st_mode & 0o7777 == 0o700
    assert (modules / "empty").is_dir()
    assert (modules / "way").readlink() == Path("nowhere")
    assert (modules / "pipe").is_fifo()


def test_other_versions_are_not_touched(tmp_path: Path) -> None:
    install(tmp_path, "hello", OLD, release="10.99.11")
    other = tmp_path / MODULES.replace("99.12", "99.11")
    before = (other.stat(), (other / "hello/hello.kmod").stat())
    install(tmp_path, "hello", NEW)
    assert (other.stat(), (other / "hello/hello.kmod").stat()) == before


def test_modules_to_remove_go_unless_someone_changed_them(tmp_path: Path) -> None:
    switch(tmp_path, "a", "b", "c")
    kmod = tmp_path / MODULES / "b/b.kmod"
    kmod.chmod(0o644)
    kmod.write_bytes(b"changed by hand")
    done = switch_modules([], installation_in(tmp_path), ["a", "b", "unknown"])
    assert sorted(contents(tmp_path / MODULES)) == ["b/b.kmod", "c/c.kmod"]
    assert not (tmp_path / MODULES / "a").exists()
    assert done.left_in_place == ("b/b.kmod",)
    assert "b/b.kmod" in describe_switch(done)
    receipts = load_receipts(installation_in(tmp_path).receipts)
    assert [receipt.name for receipt in receipts] == ["b", "c"]
    metalog = (tmp_path / "destdir/METALOG").read_text()
    assert "/a" not in metalog.replace("/amd64", "")
    assert "/b/b.kmod" in metalog


def test_bytes_that_were_not_judged_are_refused(tmp_path: Path) -> None:
    install(tmp_path, "hello", OLD)
    wanted = order(tmp_path, "hello", NEW)
    wanted.sources[0].write_bytes(NEW[:-1] + b"x")
    with pytest.raises(BuildsysError, match=r"hello\.kmod: not the bytes that were checked"):
        switch_modules([wanted], installation_in(tmp_path))
    wanted.sources[0].unlink()
    with pytest.raises(BuildsysError, match=r"obj/hello\.kmod: cannot read: No such file"):
        switch_modules([wanted], installation_in(tmp_path))
    assert contents(tmp_path / MODULES) == {"hello/hello.kmod": OLD}
    assert not (installation_in(tmp_path).history / "next").exists()


def test_an_order_for_another_place_is_refused(tmp_path: Path) -> None:
    wanted = order(tmp_path, "hello", release="10.99.11")
    with pytest.raises(BuildsysError, match="hello was ordered for another place"):
        switch_modules([wanted], installation_in(tmp_path))


@pytest.mark.parametrize("part", ["destdir/stand", "destdir/stand/amd64", MODULES])
def test_a_link_in_the_way_is_refused_and_nothing_written_through_it(
    tmp_path: Path, part: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    link = tmp_path / part
    link.parent.mkdir(parents=True)
    link.symlink_to(outside)
    with pytest.raises(BuildsysError, match=f"{part}: .*(symbolic link to .*outside|not a dir)"):
        install(tmp_path)
    assert list(outside.iterdir()) == []


def test_a_link_in_place_of_the_modules_directory_of_one_module_is_refused(tmp_path: Path) -> None:
    install(tmp_path, "other")
    (tmp_path / MODULES / "hello").symlink_to(tmp_path)
    with pytest.raises(BuildsysError, match=r"hello: a symbolic link to .* stands where a dir"):
        install(tmp_path)
    (tmp_path / MODULES / "hello").unlink()
    (tmp_path / MODULES / "hello").write_bytes(b"")
    with pytest.raises(BuildsysError, match="hello: stands where a directory belongs"):
        install(tmp_path)


def test_a_link_in_place_of_the_kmod_is_replaced_not_followed(tmp_path: Path) -> None:
    install(tmp_path, "hello", OLD)
    kmod = tmp_path / MODULES / "hello/hello.kmod"
    outside = tmp_path / "outside"
    outside.write_bytes(b"kept")
    kmod.unlink()
    kmod.symlink_to(outside)
    install(tmp_path, "hello", NEW)
    assert not kmod.is_symlink()
    assert outside.read_bytes() == b"kept"


@pytest.mark.parametrize("name", ["hello.kmod", "hello.plist"])
def test_a_directory_in_place_of_a_file_is_refused_before_anything_changes(
    tmp_path: Path, name: str
) -> None:
    install(tmp_path, "hello", OLD, PLIST)
    directory = tmp_path / MODULES / "hello"
    (directory / name).unlink()
    (directory / name).mkdir()
    before = sorted(directory.iterdir())
    with pytest.raises(BuildsysError, match=f"{name}: a directory stands where a file belongs"):
        install(tmp_path, "hello", NEW, b"<new/>")
    assert sorted(directory.iterdir()) == before


def test_a_destdir_that_is_a_file_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "destdir").write_bytes(b"")
    with pytest.raises(BuildsysError, match="destdir: cannot make the directory: File exists"):
        install(tmp_path)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc", "a\0"])
def test_a_name_that_would_leave_the_directory_is_refused(tmp_path: Path, name: str) -> None:
    approved = installing.approve(tmp_path, NEW)
    named = type(approved)(name, approved.path, approved.digest)
    with pytest.raises(BuildsysError, match="expected a name that a directory can have"):
        order_kmod(named, None, place_in(tmp_path))
    assert not (tmp_path / "destdir").exists()


@pytest.mark.parametrize("root", ["/", "/./", "/usr/..", "/proc/self/root", "link"])
def test_installing_into_the_root_of_a_foreign_system_is_refused(tmp_path: Path, root: str) -> None:
    (tmp_path / "link").symlink_to("/")
    place = InstallPlace(tmp_path / root, "amd64", "amd64", "10.99.12")
    there = Installation(place, tmp_path / "r", tmp_path / "h", tmp_path / "METALOG")
    for host in (
        HostSystem("Linux", "x86_64"),
        HostSystem("NetBSD", "sparc64"),
        HostSystem("FreeBSD", "amd64"),
    ):
        with pytest.raises(BuildsysError, match=f"this is / of a running {host.system}"):
            switch_modules([], there, host=host)
    assert not Path("/stand").exists()


def test_privilege_is_refused_to_others_than_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(BuildsysError, match="only root can give files to root:wheel"):
        switch_modules([], installation_in(tmp_path, is_privileged=True))


@pytest.mark.parametrize("is_privileged", [True, False])
def test_owners_change_only_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_privileged: bool
) -> None:
    owners = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", lambda *_arguments: None)
    monkeypatch.setattr(os, "fchown", lambda _descriptor, uid, gid: owners.append((uid, gid)))
    wanted = order(tmp_path, "hello", NEW, PLIST)
    switch_modules([wanted], installation_in(tmp_path, is_privileged=is_privileged))
    assert owners == ([(0, 0), (0, 0)] if is_privileged else [])


def test_what_a_killed_run_of_an_older_version_left_goes(tmp_path: Path) -> None:
    directory = tmp_path / MODULES / "hello"
    directory.mkdir(parents=True)
    temporary_beside(directory / "hello.kmod").write_bytes(b"half")
    install(tmp_path, "hello", NEW)
    assert contents(directory) == {"hello.kmod": NEW}


def test_the_plist_of_a_module_that_has_no_properties_any_more_goes(tmp_path: Path) -> None:
    install(tmp_path, "hello", OLD, PLIST)
    install(tmp_path, "hello", NEW)
    assert contents(tmp_path / MODULES) == {"hello/hello.kmod": NEW}
    assert "plist" not in (tmp_path / "destdir/METALOG").read_text()


def test_a_plist_of_someone_else_is_refused_when_the_module_has_none(tmp_path: Path) -> None:
    install(tmp_path, "hello", OLD, PLIST)
    plist = tmp_path / MODULES / "hello/hello.plist"
    plist.unlink()
    plist.write_bytes(b"changed by hand")
    with pytest.raises(BuildsysError, match=r"hello\.plist: not installed by modbuild"):
        install(tmp_path, "hello", NEW)
    assert contents(plist.parent) == {"hello.kmod": OLD, "hello.plist": b"changed by hand"}


def test_two_at_once_are_kept_apart(tmp_path: Path) -> None:
    install(tmp_path, "hello", OLD)
    parent = (tmp_path / MODULES).parent
    descriptor = os.open(parent, os.O_RDONLY)
    try:
        with (
            hold_directory(descriptor, parent),
            pytest.raises(BuildsysError, match="another run is installing here"),
        ):
            install(tmp_path, "hello", NEW)
    finally:
        os.close(descriptor)
    install(tmp_path, "hello", NEW)


def test_who_looks_on_sees_one_tree_or_the_other(tmp_path: Path) -> None:
    names = [f"m{number}" for number in range(20)]
    variants = [b"a" * 1000, b"b" * 3000]
    switch(tmp_path, *names, content=variants[0])
    torn, done = [], threading.Event()

    def look() -> None:
        while not done.is_set():
            descriptor = os.open(tmp_path / MODULES, os.O_RDONLY)
            try:
                found = set()
                for name in names:
                    kmod = os.open(f"{name}/{name}.kmod", os.O_RDONLY, dir_fd=descriptor)
                    found.add(os.read(kmod, 5000))
                    os.close(kmod)
                if len(found) != 1:
                    torn.append(found)
            except FileNotFoundError:  # two generations later the directory is pruned
                continue
            finally:
                os.close(descriptor)

    watcher = threading.Thread(target=look)
    watcher.start()
    for number in range(6):
        switch(tmp_path, *names, content=variants[(number + 1) % 2])
    done.set()
    watcher.join()
    assert torn == []


def test_a_file_that_cannot_grow_so_far_is_one_clear_error(tmp_path: Path) -> None:
    install(tmp_path, "hello", OLD)
    wanted = order(tmp_path, "hello", NEW)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(NEW) // 2, hard))
    try:
        with pytest.raises(BuildsysError, match=r"hello\.kmod: cannot write: File too large"):
            switch_modules([wanted], installation_in(tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert contents(tmp_path / MODULES) == {"hello/hello.kmod": OLD}


def test_without_hard_links_files_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object, **_named: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    switch(tmp_path, "a", "b", content=OLD)
    (tmp_path / MODULES / "way").symlink_to("nowhere")
    monkeypatch.setattr(os, "link", refuse)
    switch(tmp_path, "a")
    assert contents(tmp_path / MODULES) == {"a/a.kmod": NEW, "b/b.kmod": OLD}
    kept = (tmp_path / MODULES / "b/b.kmod").stat()
    assert (kept.st_nlink, kept.st_mode & 0o7777) == (1, 0o444)
    assert (tmp_path / MODULES / "way").is_symlink()


def test_generations_lie_in_destdir_when_the_object_directory_is_elsewhere(tmp_path: Path) -> None:
    if not os.access(MEMORY, os.W_OK) or MEMORY.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs a second file system")
    place = place_in(tmp_path)
    history = MEMORY / f"modbuild-test-{os.getpid()}"
    there = Installation(place, tmp_path / "r", history, tmp_path / "METALOG")
    try:
        for content in (OLD, NEW):
            switch_modules([order(tmp_path, "hello", content)], there)
        hidden = tmp_path / "destdir/.modbuild/generations/stand/amd64/10.99.12"
        (generation,) = load_generations(hidden)
        assert contents(generation.tree) == {"hello/hello.kmod": OLD}
        assert load_generations(history) == ()
    finally:
        history.rmdir()


def test_only_so_many_generations_are_kept(tmp_path: Path) -> None:
    for number in range(8):
        install(tmp_path, "hello", b"%d" % number)
    history = installation_in(tmp_path).history
    assert [found.number for found in load_generations(history)] == [7, 6, 5, 4, 3]
    assert contents(history / ".spare/modules") == {"hello/hello.kmod": b"1"}  # for the next one
    assert prune_history(history, 2) == (3, 4, 5)
    assert [found.number for found in load_generations(history)] == [7, 6]
    assert prune_history(history, 0) == (6, 7)
    assert contents(history) == {}


def test_the_next_tree_is_made_of_one_that_was_kept_long_enough(tmp_path: Path) -> None:
    """What did not change is not even looked into: neither its file nor its directory is new."""
    for name in ("same", "gone", "other"):
        install(tmp_path, name, b"as ever")
    installation = installation_in(tmp_path)
    for number in range(7):
        install(tmp_path, "hello", b"%d" % number)
    switch_modules([], installation, ["gone"])
    tree = installation.tree
    (tree / "other").chmod(0o700)
    (tree / "notes").mkdir()
    (tree / "notes/mine").write_bytes(b"of someone")
    before = (tree / "same/same.kmod").stat()
    spare = (installation.history / ".spare/modules/same").stat()
    switch = switch_modules([order(tmp_path, "hello", b"last")], installation)
    after = (tree / "same/same.kmod").stat()
    assert (after.st_ino, after.st_ctime_ns) == (before.st_ino, before.st_ctime_ns)
    assert (tree / "same").stat().st_ino == spare.st_ino
    assert contents(tree) == {
        "hello/hello.kmod": b"last",
        "notes/mine": b"of someone",
        "other/other.kmod": b"as ever",
        "same/same.kmod": b"as ever",
    }
    assert (tree / "other").stat().st_mode & 0o777 == 0o700
    assert switch.foreign == ("notes/mine",)
