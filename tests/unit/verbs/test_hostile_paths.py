"""Kmods under paths that are no files, or whose names are no text: told, and in no one's way."""

import json
import os
import shutil
from xml.etree import ElementTree

import jsonschema
import pytest
from workspace import STAND, Workspace

from buildsys.report.document import describe_report_schema

ODD = os.fsdecode(b"new\nline\xff\x1b[31m<b>")


@pytest.fixture
def kmods(workspace: Workspace) -> Workspace:
    """Give a directory kmods of one good kmod, one with an odd name, and much that is none."""
    assert workspace.run("build", "gamma").status == 0
    directory = workspace.path("kmods")
    (directory / "directory.kmod").mkdir(parents=True)
    good = next(workspace.path("obj").rglob("gamma.kmod"))
    shutil.copy(good, directory / "gamma.kmod")
    shutil.copy(good, directory / f"{ODD}.kmod")
    os.mkfifo(directory / "fifo.kmod")
    for name, target in (
        ("loop", "loop.kmod"), ("zero", "/dev/zero"), ("dangling", "nowhere"),
        ("around", "directory.kmod/../around.kmod"),
    ):  # fmt: skip
        (directory / f"{name}.kmod").symlink_to(target)
    (directory / "self").symlink_to(".")
    return workspace


NO_FILES = ("around", "dangling", "directory", "fifo", "loop", "zero")


def test_what_cannot_be_read_is_told_and_the_rest_is_judged(kmods: Workspace) -> None:
    ran = kmods.run("check", "kmods")
    assert ran.status == 1
    told = [line.split(":")[0] for line in ran.out.splitlines() if ": failed: " in line]
    assert told == [f"read kmods/{name}.kmod" for name in NO_FILES]
    assert "gamma.kmod" in ran.out
    assert "2 kmods: " in ran.out
    assert all(line.isprintable() for line in ran.out.splitlines())
    for name in NO_FILES:
        alone = kmods.run("check", f"kmods/{name}.kmod")
        assert (alone.status, alone.out) == (1, ""), name
        assert alone.err.startswith(f"modbuild: kmods/{name}.kmod: "), name


def test_every_report_stays_valid(kmods: Workspace) -> None:
    words = ",".join(f"{form}=r.{form}" for form in ("json", "junit", "sarif", "html", "text"))
    assert kmods.run("check", "kmods", "--report", words).status == 1
    document = json.loads(kmods.path("r.json").read_bytes())
    jsonschema.validate(document, describe_report_schema())
    stages = document["targets"][0]["stages"]
    assert [stage["state"] for stage in stages] == ["failed"] * len(NO_FILES)
    root = ElementTree.fromstring(kmods.path("r.junit").read_bytes())  # noqa: S314 - our own
    assert root.get("errors") == str(len(NO_FILES))
    sarif = kmods.path("r.sarif").read_text()
    assert "kmods/new%0Aline%FF%1B%5B31m%3Cb%3E.kmod" in sarif
    assert not json.loads(sarif)["runs"][0]["invocations"][0]["executionSuccessful"]
    for form in ("html", "text"):
        text = kmods.path(f"r.{form}").read_bytes().decode("utf-8")
        assert {letter for letter in text if ord(letter) < 32} == {"\n"}, form
    assert "new\\nline\\xff\\x1b[31m&lt;b&gt;" in kmods.path("r.html").read_text()


def test_info_says_the_same_of_such_paths(kmods: Workspace) -> None:
    paths = [f"kmods/{name}.kmod" for name in (*NO_FILES, ODD, "gamma")]
    ran = kmods.run("info", *paths)
    assert ran.status == 1
    assert ran.out.count("name      gamma") == 2
    assert [line.split(":")[1].strip() for line in ran.err.splitlines()] == paths[: len(NO_FILES)]


def test_pipes_among_installed_files_are_told_and_not_waited_for(workspace: Workspace) -> None:
    workspace.install()
    kmod = workspace.path(f"{STAND}/gamma/gamma.kmod")
    kmod.unlink()
    os.mkfifo(kmod)
    for name in ("boot.cfg", "etc/fstab", "etc/modules.conf"):
        workspace.path(f"destdir/{name}").parent.mkdir(exist_ok=True)
        os.mkfifo(workspace.path(f"destdir/{name}"))
    ran = workspace.run("verify")
    assert (ran.status, "file-replaced" in ran.out) == (2, True), ran.out
    assert workspace.run("uninstall", "beta").status == 0
    assert workspace.run("install").status == 0
    assert kmod.is_file()
    os.mkfifo(workspace.path("pipe"))
    ran = workspace.run("pack", "--metalog", "pipe")
    assert (ran.status, "there is no METALOG, a file" in ran.err) == (1, True), ran.err
    ran = workspace.run("release", "--report", "json=pipe")
    assert (ran.status, ran.out) == (1, ""), ran.out


def test_a_key_that_is_not_there_is_told_before_anything_is_built(workspace: Workspace) -> None:
    for words in (("release",), ("pack",)):
        ran = workspace.run(*words, "--sign", "ssh:nokey")
        assert (ran.status, "nokey: there is no such file" in ran.err) == (3, True), ran.err
    assert not workspace.path("obj").exists()
