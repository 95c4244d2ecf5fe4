"""Things that go wrong: one clear error each, the right exit status, nothing half-written."""

import gzip
import os
import re
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from workspace import CLONE, STAND, Ran, Workspace, make_workspace

UNKNOWN = "\nextern int nobody_offers(void);\nint gamma_call(void);\nint\ngamma_call(void)\n"
UNKNOWN += "{\n\treturn nobody_offers();\n}\n"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_workspace(tmp_path_factory.mktemp("shared"))


@pytest.fixture
def tree(shared: Workspace) -> Workspace:
    """Give the shared tree with its first content; what was built before may be there."""
    shared.restore()
    return shared


def assert_refused(ran: Ran, status: int, message: str) -> None:
    """Check the exit status, and that one error says what is wrong."""
    assert ran.status == status, ran.out + ran.err
    assert re.search(message, ran.err), ran.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "the following arguments are required: VERB"),
        (("frobnicate",), "invalid choice: 'frobnicate'"),
        (("install", "--frobnicate"), "unrecognized arguments: --frobnicate"),
        (("install", "-j", "0"), "expected a number from 1, got '0'"),
        (("install", "-j", "two"), "expected a number from 1, got 'two'"),
        (("install", "-j"), "expected one argument"),
        (("install", "--timeout", "-1"), "expected a number of seconds above 0"),
        (("install", "--timeout", "nan"), "expected a number of seconds above 0"),
        (("install", "nothing"), "no module nothing in .*/modules; there are alpha, beta, gamma"),
        (("build", "./modules/alpha"), "modules/alpha: a directory with a Makefile needs .* --src"),
        (("import", "-o", "new"), "import reads the makefiles of a source tree; give one with"),
        (("install", "-m", "pdp11"), "pdp11"),
        (("install", "--toolchain", "tcc"), "toolchain tcc is not known"),
        (("install", "--release", "ten"), "release: "),
        (("install", "--destdir", ""), "--destdir: expected a value, got nothing"),
        (("init", "new", "--class", "odd"), "--class: expected one of"),
        (("init", "9bad name"), "expected a C identifier"),
        (("uninstall", "nothing"), "module nothing was not installed"),
    ],
)
def test_wrong_usage_has_status_3(tree: Workspace, words: tuple[str, ...], message: str) -> None:
    ran = tree.run(*words)
    assert_refused(ran, 3, message)
    assert ran.out == ""
    assert not tree.path("new").exists()


def wrong_class(tree: Workspace) -> None:
    tree.edit("modules/beta/beta.yaml", "class: misc", "class: [misc]")


def unknown_key(tree: Workspace) -> None:
    tree.edit("modules/beta/beta.yaml", "class", "klass: misc\nclass")


def key_twice(tree: Workspace) -> None:
    tree.edit("modules/beta/beta.yaml", "class: misc\n", "class: misc\nclass: misc\n")


def tab(tree: Workspace) -> None:
    tree.edit("modules/alpha/alpha.yaml", "  level", "\tlevel")


def empty(tree: Workspace) -> None:
    tree.write("modules/beta/beta.yaml", "")


def directory(tree: Workspace) -> None:
    tree.path("modules/beta/beta.yaml").unlink()
    tree.path("modules/beta/beta.yaml").mkdir()
    tree.write("modules/beta/beta.yaml/x", "")


def binary(tree: Workspace) -> None:
    tree.write("modules/beta/beta.yaml", bytes(range(256)))


def cycle(tree: Workspace) -> None:
    tree.edit("modules/alpha/alpha.yaml", "class", "requires: [beta]\nclass")


def same_name(tree: Workspace) -> None:
    tree.edit("modules/gamma/gamma.yaml", "class", "kmod: beta\nclass")


def no_source_tree(tree: Workspace) -> None:
    tree.edit("modules/gamma/gamma.yaml", "[gamma.c", "[gamma.c, '${S}/kern/x.c'")


def source_without_a_suffix(tree: Workspace) -> None:
    tree.edit("modules/gamma/gamma.yaml", "tables.c", "tables.cc")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (wrong_class, r"beta\.yaml:1: class: expected a string, got a list"),
        (unknown_key, r"beta\.yaml:1: klass: unknown key; expected one of kmod, class"),
        (key_twice, r"beta\.yaml:2: class: this key stands twice, first in line 1"),
        (tab, r"alpha\.yaml:5: not YAML: a tab where spaces are expected"),
        (empty, r"beta\.yaml: the file is empty; expected a mapping"),
        (directory, r"beta\.yaml: cannot read: Is a directory"),
        (binary, r"beta\.yaml:\d+: not YAML: "),
        (cycle, r"require each other in a circle: (alpha -> beta -> alpha|beta -> alpha -> beta)"),
        (same_name, r"gamma\.yaml: kmod: beta is the name of another module too"),
        (no_source_tree, r"gamma\.yaml:2: sources: \$\{S\} needs a NetBSD source tree"),
        (source_without_a_suffix, r"gamma\.yaml:2: sources: expected a source file ending in"),
    ],
)
def test_a_wrong_descriptor_is_refused_with_its_place(
    tree: Workspace, spoil: "type[None]", message: str
) -> None:
    spoil(tree)
    before = tree.digests("destdir")
    ran = tree.run("install")
    assert_refused(ran, 1, message)
    assert ran.err.count("modbuild: ") == 1
    assert tree.digests("destdir") == before


def missing_source(tree: Workspace) -> None:
    tree.path("modules/gamma/tables.c").unlink()


def syntax_error(tree: Workspace) -> None:
    tree.edit("modules/gamma/tables.c", "return", "retrun")


def warning(tree: Workspace) -> None:
    tree.edit("modules/gamma/tables.c", "\treturn", "\tint unused;\n\treturn")


def source_is_a_directory(tree: Workspace) -> None:
    tree.path("modules/gamma/tables.c").unlink()
    tree.write("modules/gamma/tables.c/x", "")


def unknown_flag(tree: Workspace) -> None:
    tree.edit("modules/gamma/gamma.yaml", "class", "cflags: [-fno-such-flag]\nclass")


def defined_twice(tree: Workspace) -> None:
    tree.edit("modules/gamma/gamma.c", "int gamma_table(int);", "int gamma_table(int);\nint limit;")
    tree.edit(
        "modules/gamma/tables.c", "int gamma_table(int);", "int gamma_table(int);\nint limit;"
    )


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (missing_source, r"compile:gamma/tables\.o: .*gamma\.yaml: .*tables\.c does not exist"),
        (syntax_error, r"tables\.c:6:2: error: call to undeclared function 'retrun'"),
        (warning, r"error: unused variable 'unused' \[-Werror"),
        (source_is_a_directory, r"compile:gamma/tables\.o: "),
        (unknown_flag, r"unknown argument.*-fno-such-flag"),
        (defined_twice, r"link:gamma: .*\n(.*\n)*.*duplicate symbol: limit"),
    ],
)
def test_a_module_that_cannot_be_built_fails_and_with_k_the_others_are_installed(
    tree: Workspace, spoil: "type[None]", message: str
) -> None:
    for name in ("obj", "destdir"):
        shutil.rmtree(tree.path(name), ignore_errors=True)
    spoil(tree)
    for words in (("install", "-k"), ("install", "-k"), ("install",)):
        ran = tree.run(*words)
        assert_refused(ran, 1, message)
        assert re.search(r"\d steps? failed", ran.err)
    assert tree.path(f"{STAND}/beta/beta.kmod").exists()
    assert not tree.path(f"{STAND}/gamma").exists()
    assert not tree.path("obj/amd64-x86_64/gamma/gamma.kmod").exists()
    assert tree.temporaries() == []
    tree.restore()
    tree.install()
    assert tree.path(f"{STAND}/gamma/gamma.kmod").exists()


def test_an_unfit_module_has_status_2_each_time_and_is_not_installed(tree: Workspace) -> None:
    shutil.rmtree(tree.path("destdir"), ignore_errors=True)
    source = tree.path("modules/gamma/gamma.c").read_text()
    tree.write("modules/gamma/gamma.c", source + UNKNOWN)
    for words in (("install", "-k"), ("install", "-k"), ("install",), ("build",)):
        ran = tree.run(*words)
        assert_refused(ran, 2, r"gamma\.kmod: error: [\w-]+: .*nobody_offers")
        assert "1 module not fit to be loaded" in ran.err
    assert sorted(path.name for path in tree.path(STAND).iterdir()) == ["alpha", "beta"]
    assert tree.run("install", "gamma").status == 2


def test_a_module_whose_requirement_is_unfit_is_left_out(tree: Workspace) -> None:
    shutil.rmtree(tree.path("destdir"), ignore_errors=True)
    source = tree.path("modules/alpha/alpha.c").read_text()
    tree.write("modules/alpha/alpha.c", source + UNKNOWN.replace("gamma", "alpha"))
    ran = tree.run("install", "-k")
    assert ran.status == 2
    assert sorted(path.name for path in tree.path(STAND).iterdir()) == ["gamma"]


def test_a_missing_compiler_says_how_to_get_one(tree: Workspace, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    poor = Workspace(tree.directory, {"PATH": str(tmp_path / "bin"), "TOOLDIR": str(tmp_path)})
    assert_refused(
        poor.run("install"), 1, r"toolchain tooldir: .*not found|no .*netbsd-(gcc|clang)"
    )
    assert_refused(poor.run("install", "--toolchain", "llvm"), 1, r"toolchain llvm: .*clang")


@pytest.mark.parametrize("name", ["destdir", "destdir/stand", STAND, f"{STAND}/gamma"])
def test_a_file_in_the_place_of_destdir_is_refused(tree: Workspace, name: str) -> None:
    shutil.rmtree(tree.path("destdir"), ignore_errors=True)
    tree.write(name, "a file of someone")
    ran = tree.run("install", "-k")
    assert_refused(ran, 1, name)
    assert tree.path(name).read_text() == "a file of someone"
    tree.path(name).unlink()
    tree.install()


def test_a_file_in_the_place_of_objdir_is_refused(tree: Workspace) -> None:
    tree.write("file", "")
    assert_refused(tree.run("install", "-O", "file"), 1, "/file.*: cannot make the directory")
    assert_refused(tree.run("install", "-O", "/proc/obj"), 1, "/proc/obj.*: cannot make")


def test_a_kernel_of_another_version_is_refused(tree: Workspace) -> None:
    kernel = next((CLONE / "toolchain/kernel").glob("amd64-10.99.12-*.kmap*"))
    ran = tree.run("install", "--kernel", str(kernel), "--release", "10.99.11")
    assert_refused(ran, 1, r"NetBSD 10\.99\.12.* 10\.99\.11")


@pytest.mark.parametrize("size", [0, 3, 20, 500])
def test_a_truncated_kernel_is_refused(tree: Workspace, size: int) -> None:
    kernel = next((CLONE / "toolchain/kernel").glob("amd64-10.99.12-*.kmap*"))
    broken = tree.write("netbsd.kmap.gz", kernel.read_bytes()[:size])
    assert_refused(tree.run("install", "--kernel", str(broken)), 1, r"netbsd\.kmap\.gz: ")
    broken = tree.write("netbsd", gzip.decompress(kernel.read_bytes())[:size])
    assert_refused(tree.run("install", "--kernel", str(broken)), 1, r"netbsd: ")
    broken = tree.write("netbsd", b"\x7fELF" + bytes(size))
    assert_refused(tree.run("install", "--kernel", str(broken)), 1, r"netbsd: ")
    assert_refused(tree.run("install", "--kernel", "nowhere"), 1, r"nowhere: ")


@pytest.mark.parametrize("limit_bytes", [0, 1000, 3000, 40_000])
def test_a_full_disk_is_one_error_and_the_next_run_completes(
    tree: Workspace, limit_bytes: int
) -> None:
    """No file may grow beyond the limit: the disk of a test that cannot mount one."""
    for name in ("obj", "destdir"):
        shutil.rmtree(tree.path(name), ignore_errors=True)
    limited = subprocess.run(
        tree.command("install"),
        cwd=tree.directory,
        # Under such a limit some Pythons write their own compiled files cut short.
        env={**tree.full_environment(), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes)),
    )
    assert limited.returncode == 1, limited.stdout + limited.stderr
    assert "Traceback" not in limited.stderr
    assert "modbuild: " in limited.stderr
    kmods = [path.stem for path in tree.path("destdir").rglob("*.kmod")]
    tree.install()
    clean = tree.build_anew()
    assert tree.digests() == clean
    assert set(kmods) <= {"alpha", "beta", "gamma"}
    assert tree.temporaries() == []


@pytest.fixture
def open_tree() -> Iterator[Workspace]:
    """Give a tree in a place where others than root may go."""
    with tempfile.TemporaryDirectory(prefix="modbuild-test-") as name:
        Path(name).chmod(0o755)
        yield make_workspace(Path(name))


def run_as_nobody(tree: Workspace, *words: str) -> Ran:
    drop = ("setpriv", "--reuid=65534", "--clear-groups")
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can become someone else")
    if subprocess.run((*drop, *tree.command("--version")), env=tree.full_environment()).returncode:
        pytest.skip("Python itself is not readable for others")
    ran = subprocess.run(
        (*drop, *tree.command(*words)),
        cwd=tree.directory, env=tree.full_environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert "Traceback" not in ran.stderr, ran.stderr
    return Ran(ran.returncode, ran.stdout, ran.stderr)


@pytest.mark.parametrize("name", ["obj", "destdir"])
def test_a_directory_that_may_not_be_written_is_one_error(open_tree: Workspace, name: str) -> None:
    for other in ("obj", "destdir"):
        open_tree.path(other).mkdir()
        if other != name:
            os.chown(open_tree.path(other), 65534, 65534)
    assert_refused(run_as_nobody(open_tree, "install"), 1, rf"{name}.*: .*denied")


@pytest.mark.parametrize("name", ["modules", "modules/beta", "modules/beta/beta.yaml"])
def test_what_may_not_be_read_is_one_error(open_tree: Workspace, name: str) -> None:
    open_tree.path("obj").mkdir()
    os.chown(open_tree.path("obj"), 65534, 65534)
    open_tree.path(name).chmod(0)
    ran = run_as_nobody(open_tree, "build")
    open_tree.path(name).chmod(0o755)
    assert_refused(ran, 1, rf"{name}.*: .*denied")


def test_a_reader_that_goes_away_is_no_trouble(tree: Workspace) -> None:
    shutil.rmtree(tree.path("obj"), ignore_errors=True)
    for _ in range(2):
        for verb in ("install", "list", "--help"):
            ran = subprocess.run(
                ("bash", "-c", '"$@" 2>err | head -c 1 >/dev/null; exit ${PIPESTATUS[0]}', "x",
                 *tree.command(verb)),
                cwd=tree.directory, env=tree.full_environment(), timeout=60,
            )  # fmt: skip
            text = tree.path("err").read_text()
            assert text == "", (verb, text)
            assert ran.returncode in (0, 1), verb
    tree.path("err").unlink()


@pytest.mark.parametrize("verb", ["install", "list", "--help", "schema"])
def test_an_output_that_cannot_be_written_is_one_error(tree: Workspace, verb: str) -> None:
    if verb == "install":
        shutil.rmtree(tree.path("obj"), ignore_errors=True)
    for _ in range(2):
        with open("/dev/full", "w") as full:
            ran = subprocess.run(
                tree.command(verb), cwd=tree.directory, env=tree.full_environment(),
                stdout=full, stderr=subprocess.PIPE, text=True, timeout=60,
            )  # fmt: skip
        assert ran.returncode == 1
        assert ran.stderr.strip() == "modbuild: standard output: No space left on device"


def test_names_that_are_no_text_are_built(tmp_path: Path) -> None:
    directory = tmp_path / os.fsdecode(b"a b=c#d$e'f,\xff\xc3\xa4")
    directory.mkdir()
    odd = make_workspace(directory, PYTHONIOENCODING="utf-8:strict")
    odd.install()
    assert odd.install().is_nothing_to_do
    odd.edit("modules/alpha/alpha.h", "STEP 1", "STEP 2")
    assert "compile:beta/beta.o" in odd.install().steps
    assert odd.run("list").status == 0
    assert odd.run("why").status == 0
    assert odd.run("uninstall").status == 0


def test_closed_outputs_and_a_vanished_directory_are_no_bugs(tree: Workspace) -> None:
    script = '"$@" >&- 2>&-; test $? = 0 && mkdir gone && cd gone && rmdir ../gone && "$@"'
    ran = subprocess.run(
        ("sh", "-c", script, "x", *tree.command("install")),
        cwd=tree.directory, env=tree.full_environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert ran.stderr == "modbuild: the current directory does not exist any more\n"
    assert ran.returncode == 1


def test_a_metalog_that_is_no_file_is_refused_before_anything_is_installed(
    workspace: Workspace,
) -> None:
    os.mkfifo(workspace.path("pipe"))
    workspace.path("folder").mkdir()
    for name in ("pipe", "folder"):
        ran = workspace.run("install", "--metalog", name)
        assert (ran.status, f"{name}: expected METALOG, a file" in ran.err) == (1, True), ran.err
        assert not workspace.path("destdir").exists()
    assert workspace.run("install").status == 0


def test_a_file_in_the_place_of_destdir_is_told_before_anything_is_built(
    workspace: Workspace,
) -> None:
    workspace.write("destdir", "")
    ran = workspace.run("install")
    assert (ran.status, ran.steps) == (1, frozenset())
    assert "expected DESTDIR, a directory; a file stands there: name another with -D" in ran.err
