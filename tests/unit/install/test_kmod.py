"""Installing one module: what appears, what stays on failure, what is refused."""

import errno
import hashlib
import os
import resource
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from buildsys.base.errors import BuildsysError
from buildsys.base.files import temporary_beside
from buildsys.check.verdict import ApprovedKmod, Outcome, Verdict
from buildsys.install.kmod import install_kmod
from buildsys.install.layout import InstallPlace, module_directory
from buildsys.install.lookup import HostSystem
from buildsys.install.receipt import Receipt

LINUX = HostSystem("Linux", "x86_64")
OLD, NEW, PLIST = b"\x7fELF old", b"\x7fELF new " * 1000, b"<plist/>"


class KilledError(BaseException):
    """Stands for a SIGKILL: nothing may catch it, and clean-up does not count on running."""


def approve(directory: Path, content: bytes = NEW, name: str = "hello") -> ApprovedKmod:
    path = directory / "obj" / f"{name}.kmod"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    digest = hashlib.sha256(content).digest()
    return Verdict(name, path, digest, "amd64 10.99.12", Outcome.LOADS, ()).approve()


def place_in(directory: Path, is_privileged: bool = False) -> InstallPlace:
    return InstallPlace(directory / "destdir", "amd64", "amd64", "10.99.12", is_privileged)


def hello_in(place: InstallPlace) -> Path:
    return module_directory(place.destdir, place.module_machine, place.release) / "hello"


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


def install(
    tmp_path: Path,
    content: bytes = NEW,
    plist: bytes | None = None,
    previous: Receipt | None = None,
) -> Receipt:
    return install_kmod(approve(tmp_path, content), plist, place_in(tmp_path), previous)


def test_install_kmod_puts_the_file_where_the_kernel_looks(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        receipt = install(tmp_path, plist=PLIST)
    finally:
        os.umask(before)
    root = tmp_path / "destdir"
    directory = root / "stand/amd64/10.99.12/modules/hello"
    assert contents(directory) == {"hello.kmod": NEW, "hello.plist": PLIST}
    assert {path.stat().st_mode & 0o7777 for path in directory.iterdir()} == {0o444}
    above = [directory, *directory.parents][:5]
    assert {path.stat().st_mode & 0o7777 for path in above} == {0o755}
    assert [str(file.target) for file in receipt.files] == [
        "stand/amd64/10.99.12/modules/hello/hello.plist",
        "stand/amd64/10.99.12/modules/hello/hello.kmod",
    ]
    for file in receipt.files:
        content = (root / file.target).read_bytes()
        assert (file.size, file.sha256) == (len(content), hashlib.sha256(content).digest())
        assert (file.mode, file.uname, file.gname) == (0o444, "root", "wheel")
    assert receipt.verdict == hashlib.sha256(NEW).digest()


def test_install_kmod_refuses_bytes_that_were_not_judged(tmp_path: Path) -> None:
    install(tmp_path, OLD)
    approved = approve(tmp_path, NEW)
    approved.path.write_bytes(NEW[:-1] + b"x")
    with pytest.raises(BuildsysError, match=r"hello\.kmod: not the bytes that were checked"):
        install_kmod(approved, PLIST, place_in(tmp_path))
    assert contents(hello_in(place_in(tmp_path))) == {"hello.kmod": OLD}


def test_install_kmod_refuses_a_kmod_that_vanished(tmp_path: Path) -> None:
    install(tmp_path, OLD)
    approved = approve(tmp_path, NEW)
    approved.path.unlink()
    with pytest.raises(BuildsysError, match=r"obj/hello\.kmod: cannot read: No such file"):
        install_kmod(approved, None, place_in(tmp_path))
    assert contents(hello_in(place_in(tmp_path))) == {"hello.kmod": OLD}


def test_nothing_else_below_destdir_is_touched(tmp_path: Path) -> None:
    directory = hello_in(place_in(tmp_path))
    directory.mkdir(parents=True)
    directory.chmod(0o700)
    (directory / "README").write_bytes(b"of someone")
    (directory.parent / "other").mkdir()
    os.utime(directory.parent / "other", (1, 1))
    install(tmp_path)
    assert contents(directory) == {"README": b"of someone", "hello.kmod": NEW}
    assert directory.stat().st_mode & 0o7777 == 0o700
    assert (directory.parent / "other").stat().st_mtime == 1


@pytest.mark.parametrize(
    "part",
    ["stand", "stand/amd64", "stand/amd64/10.99.12/modules", "stand/amd64/10.99.12/modules/hello"],
)
def test_a_link_in_the_way_is_refused_and_nothing_written_through_it(
    tmp_path: Path, part: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    link = tmp_path / "destdir" / part
    link.parent.mkdir(parents=True)
    link.symlink_to(outside)
    with pytest.raises(BuildsysError, match=f"{part}: a symbolic link to .*outside stands"):
        install(tmp_path)
    assert list(outside.iterdir()) == []


def test_a_link_in_place_of_the_kmod_is_replaced_not_followed(tmp_path: Path) -> None:
    install(tmp_path, OLD)
    kmod = hello_in(place_in(tmp_path)) / "hello.kmod"
    outside = tmp_path / "outside"
    outside.write_bytes(b"kept")
    kmod.unlink()
    kmod.symlink_to(outside)
    install(tmp_path)
    assert not kmod.is_symlink()
    assert outside.read_bytes() == b"kept"


@pytest.mark.parametrize("name", ["hello.kmod", "hello.plist"])
def test_a_directory_in_place_of_a_file_is_refused_before_anything_changes(
    tmp_path: Path, name: str
) -> None:
    install(tmp_path, OLD, PLIST)
    directory = hello_in(place_in(tmp_path))
    (directory / name).unlink()
    (directory / name).mkdir()
    before = sorted(directory.iterdir())
    with pytest.raises(BuildsysError, match=f"{name}: a directory stands where a file belongs"):
        install(tmp_path, NEW, b"<new/>")
    assert sorted(directory.iterdir()) == before


def test_a_destdir_that_is_a_file_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "destdir").write_bytes(b"")
    with pytest.raises(BuildsysError, match="destdir: cannot make the directory: File exists"):
        install(tmp_path)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc", "a\0"])
def test_a_name_that_would_leave_the_directory_is_refused(tmp_path: Path, name: str) -> None:
    approved = ApprovedKmod(name, approve(tmp_path).path, hashlib.sha256(NEW).digest())
    with pytest.raises(BuildsysError, match="expected a name that a directory can have"):
        install_kmod(approved, None, place_in(tmp_path))
    assert not (tmp_path / "destdir").exists()


@pytest.mark.parametrize("root", ["/", "/./", "/usr/..", "/proc/self/root", "link"])
def test_installing_into_the_root_of_a_foreign_system_is_refused(tmp_path: Path, root: str) -> None:
    (tmp_path / "link").symlink_to("/")
    place = InstallPlace(tmp_path / root, "amd64", "amd64", "10.99.12")
    for host in (LINUX, HostSystem("NetBSD", "sparc64"), HostSystem("FreeBSD", "amd64")):
        with pytest.raises(BuildsysError, match=f"this is / of a running {host.system}"):
            install_kmod(approve(tmp_path), None, place, host=host)
    assert not Path("/stand").exists()


def test_privilege_is_refused_to_others_than_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(BuildsysError, match="only root can give files to root:wheel"):
        install_kmod(approve(tmp_path), None, place_in(tmp_path, is_privileged=True))


@pytest.mark.parametrize("is_privileged", [True, False])
def test_owners_change_only_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_privileged: bool
) -> None:
    owners = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", lambda _descriptor, uid, gid: owners.append((uid, gid)))
    install_kmod(approve(tmp_path), PLIST, place_in(tmp_path, is_privileged))
    assert owners == ([(0, 0), (0, 0)] if is_privileged else [])


def test_what_a_killed_run_left_goes_with_the_next_run(tmp_path: Path) -> None:
    directory = hello_in(place_in(tmp_path))
    directory.mkdir(parents=True)
    temporary_beside(directory / "hello.kmod").write_bytes(b"half")
    install(tmp_path)
    assert contents(directory) == {"hello.kmod": NEW}


def test_a_plist_that_is_no_more_goes_after_the_new_kmod(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = install(tmp_path, OLD, PLIST)
    directory = hello_in(place_in(tmp_path))
    seen = []
    real = os.unlink

    def look(path: str, *, dir_fd: int | None = None) -> None:
        if path == "hello.plist":
            seen.append(contents(directory)["hello.kmod"])
        real(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", look)
    again = install(tmp_path, NEW, None, receipt)
    assert seen == [NEW]
    assert contents(directory) == {"hello.kmod": NEW}
    assert [file.target.name for file in again.files] == ["hello.kmod"]


def test_a_plist_of_someone_else_is_refused_when_the_module_has_none(tmp_path: Path) -> None:
    receipt = install(tmp_path, OLD, PLIST)
    plist = hello_in(place_in(tmp_path)) / "hello.plist"
    with pytest.raises(BuildsysError, match=r"hello\.plist: not installed by modbuild"):
        install(tmp_path, NEW, None, None)
    plist.unlink()
    plist.write_bytes(b"changed by hand")
    with pytest.raises(BuildsysError, match=r"hello\.plist: not installed by modbuild"):
        install(tmp_path, NEW, None, receipt)
    assert contents(plist.parent) == {"hello.kmod": OLD, "hello.plist": b"changed by hand"}


def failing_at(step: int, error: BaseException) -> tuple[list[str], Callable[[str], None]]:
    """Give a list of steps taken, and a function that raises at the given one (from 0)."""
    steps: list[str] = []

    def take(name: str) -> None:
        steps.append(name)
        if len(steps) - 1 == step:
            raise error

    return steps, take


def watch_system_calls(monkeypatch: pytest.MonkeyPatch, take: Callable[[str], None]) -> None:
    for name in ("write", "fchmod", "fsync", "replace"):
        real = getattr(os, name)

        def call(
            *arguments: object, _real: object = real, _name: str = name, **named: object
        ) -> object:
            take(_name)
            return _real(*arguments, **named)  # type: ignore[operator]

        monkeypatch.setattr(os, name, call)


def count_steps(tmp_path: Path) -> int:
    (tmp_path / "dry").mkdir()
    with pytest.MonkeyPatch.context() as monkeypatch:
        steps, take = failing_at(-1, KilledError())
        watch_system_calls(monkeypatch, take)
        install(tmp_path / "dry", OLD, PLIST)
        first = len(steps)
        install(tmp_path / "dry", NEW, b"<new/>")
    return len(steps) - first


@pytest.mark.parametrize("error", [KilledError(), OSError(errno.ENOSPC, "No space left on device")])
def test_at_whatever_point_it_ends_every_file_is_whole_and_the_next_run_completes(
    tmp_path: Path, error: BaseException
) -> None:
    new_plist = b"<new/>"
    total = count_steps(tmp_path)
    assert total >= 10
    for step in range(total):
        base = tmp_path / str(step)
        base.mkdir()
        install(base, OLD, PLIST)
        approved = approve(base, NEW)
        directory = hello_in(place_in(base))
        expected = BuildsysError if isinstance(error, OSError) else KilledError
        with pytest.MonkeyPatch.context() as monkeypatch:
            steps, take = failing_at(step, error)
            watch_system_calls(monkeypatch, take)
            with pytest.raises(expected):
                install_kmod(approved, new_plist, place_in(base))
        found = contents(directory)
        # Only between the two renames the old kmod has the new plist, never the other way.
        pairs = [(OLD, PLIST), (OLD, new_plist), (NEW, new_plist)]
        assert (found.pop("hello.kmod"), found.pop("hello.plist")) in pairs
        assert found == {}, (steps, found)
        install_kmod(approved, new_plist, place_in(base))
        assert contents(directory) == {"hello.kmod": NEW, "hello.plist": new_plist}


def test_a_write_error_names_the_file_and_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, OLD)

    def refuse(*_arguments: object) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "write", refuse)
    with pytest.raises(BuildsysError, match=r"hello\.kmod: cannot write: Read-only file system"):
        install(tmp_path, NEW)
    assert contents(hello_in(place_in(tmp_path))) == {"hello.kmod": OLD}


def test_many_at_once_leave_one_of_them_whole(tmp_path: Path) -> None:
    variants = [b"%d" % number * 50_000 for number in range(6)]
    for number in range(len(variants)):
        (tmp_path / str(number)).mkdir()
    approved = [approve(tmp_path / str(n), content) for n, content in enumerate(variants)]
    torn, done = [], threading.Event()

    def watch() -> None:
        kmod = hello_in(place_in(tmp_path)) / "hello.kmod"
        while not done.is_set():
            if kmod.exists() and kmod.read_bytes() not in variants:
                torn.append(1)

    def repeat(kmod: ApprovedKmod) -> None:
        for _ in range(10):
            install_kmod(kmod, None, place_in(tmp_path))

    threads = [threading.Thread(target=repeat, args=(kmod,)) for kmod in approved]
    watcher = threading.Thread(target=watch)
    for thread in (watcher, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    watcher.join()
    assert torn == []
    (content,) = contents(hello_in(place_in(tmp_path))).values()
    assert content in variants


def test_a_file_that_cannot_grow_so_far_is_one_clear_error(tmp_path: Path) -> None:
    install(tmp_path, OLD)
    approved = approve(tmp_path, NEW)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(NEW) // 2, hard))
    try:
        with pytest.raises(BuildsysError, match=r"hello\.kmod: cannot write: File too large"):
            install_kmod(approved, PLIST, place_in(tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert contents(hello_in(place_in(tmp_path))) == {"hello.kmod": OLD}


@pytest.fixture
def unprivileged_directory() -> Iterator[Path]:
    """Give a directory, and be somebody whom permission bits stop, also when root runs this."""
    user = os.geteuid() or 65534
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o755)
        for part in ("obj", "destdir"):
            (path / part).mkdir()
            if os.geteuid() == 0:
                os.chown(path / part, user, user)
        before = os.geteuid()
        os.seteuid(user)
        try:
            yield path
        finally:
            (path / "destdir").chmod(0o755)
            for directory, _, _ in os.walk(path / "destdir"):
                Path(directory).chmod(0o755)
            os.seteuid(before)


def test_a_destdir_that_may_not_be_written_is_one_clear_error(
    unprivileged_directory: Path,
) -> None:
    (unprivileged_directory / "destdir").chmod(0o555)
    with pytest.raises(BuildsysError, match="destdir/stand: cannot make or open it: Permission"):
        install(unprivileged_directory)
    assert os.listdir(unprivileged_directory / "destdir") == []


def test_a_module_directory_that_may_not_be_written_keeps_its_old_file(
    unprivileged_directory: Path,
) -> None:
    install(unprivileged_directory, OLD)
    directory = hello_in(place_in(unprivileged_directory))
    directory.chmod(0o555)
    with pytest.raises(BuildsysError, match=r"hello\.kmod: cannot write: Permission denied"):
        install(unprivileged_directory)
    assert contents(directory) == {"hello.kmod": OLD}
