"""The verb kernel, run as a command."""

import json
from pathlib import Path

import pytest

from buildsys.base.shipped import shipped_path
from buildsys.cli import run
from buildsys.kernel.load import save_kernel
from buildsys.kernel.model import Kernel, SymbolMap
from buildsys.kernel.version import KernelVersion

CASES = Path(__file__).resolve().parents[2] / "data/loader-cases/cases"
HELLO = CASES / "ok_hello/ok_hello/ok_hello.kmod"
CURRENT = KernelVersion(1099001200)


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def save(name: str, *symbols: str) -> str:
    names = SymbolMap(frozenset({"kobj_sym_lookup", *symbols}))
    save_kernel(Kernel("amd64", CURRENT, name=name, symbols=names, builtins=()), Path(name))
    return name


def test_the_shipped_kernel_is_shown_and_saved(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["kernel"]) == 0
    assert "DIAGNOSTIC off" in capsys.readouterr().out
    assert run(["kernel", "save", "mine.kmap.gz"]) == 0
    shipped = shipped_path("toolchain/kernel") / "amd64-10.99.12-GENERIC.kmap.gz"
    assert Path("mine.kmap.gz").read_bytes() == shipped.read_bytes()
    assert run(["kernel", "show", "mine.kmap.gz"]) == 0
    assert run(["kernel", "save", "mine.kmap.gz", "again.kmap.gz"]) == 0
    assert Path("again.kmap.gz").read_bytes() == shipped.read_bytes()


def test_what_breaks_between_two_kernels_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    old, new = save("OLD", "printf", "aprint_normal"), save("NEW", "novelty")
    assert run(["kernel", "diff", old, new, str(HELLO), "--json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert document["globals"] == {"appeared": ["novelty"], "vanished": ["aprint_normal", "printf"]}
    assert [entry["name"] for entry in document["broken"]] == ["ok_hello"]
    assert "undefined-symbol: nothing offers printf" in document["broken"][0]["reasons"][0]
    assert run(["kernel", "diff", new, old, str(HELLO)]) == 0
    text = capsys.readouterr().out
    assert "mends: ok_hello: undefined-symbol: nothing offers printf" in text
    assert "1 kmods judged with both: 0 break, 1 are mended" in text


def test_installed_modules_are_those_of_destdir() -> None:
    old, new = save("OLD", "printf"), save("NEW")
    place = Path("destdir/stand/amd64/10.99.12/modules/ok_hello")
    place.mkdir(parents=True)
    (place / "ok_hello.kmod").write_bytes(HELLO.read_bytes())
    assert run(["kernel", "diff", old, new]) == 2
    assert run(["kernel", "diff", old, old]) == 0


@pytest.mark.parametrize("words", [("diff", "one"), ("save",), ("show", "a", "b")])
def test_wrong_operands_are_wrong_usage(words: tuple[str, ...]) -> None:
    assert run(["kernel", *words]) == 3
