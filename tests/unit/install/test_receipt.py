"""Receipts: the same bytes for the same receipt, and nothing broken is believed."""

import hashlib
import json
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildsys.base.errors import BuildsysError
from buildsys.base.value import replace
from buildsys.install.layout import InstalledFile
from buildsys.install.receipt import (
    Receipt,
    find_receipt,
    load_receipt,
    load_receipts,
    parse_receipt,
    receipt_document,
    receipt_path,
    render_receipt,
    write_receipt,
)

DIRECTORY = PurePosixPath("stand/amd64/10.99.12/modules")
DIGEST = hashlib.sha256(b"").digest()


def receipt_of(name: str, has_plist: bool = False) -> Receipt:
    kmod = InstalledFile(DIRECTORY / name / f"{name}.kmod", 0o444, 7, DIGEST)
    plist = InstalledFile(DIRECTORY / name / f"{name}.plist", 0o444, 9, DIGEST)
    files = (plist, kmod) if has_plist else (kmod,)
    return Receipt(name, Path("/build/destdir"), DIRECTORY, DIGEST, files)


def test_a_receipt_is_read_as_it_was_written(tmp_path: Path) -> None:
    receipt = receipt_of("hello", has_plist=True)
    path = receipt_path(tmp_path, "hello")
    write_receipt(path, receipt)
    assert load_receipt(path) == receipt
    assert path.read_bytes() == render_receipt(receipt)


def test_the_form_is_json_with_a_format_number_and_octal_modes() -> None:
    content = render_receipt(receipt_of("hello")).decode()
    assert content.startswith('{\n "format": 1,\n "name": "hello",\n')
    assert '"mode": "0o444"' in content


@pytest.mark.parametrize("count", [0, 1, 2])
def test_the_form_is_that_of_json_with_an_indent_whatever_the_names(count: int) -> None:
    names = ('q"uo\\te', "tab\there é \udcff")
    files = [InstalledFile(DIRECTORY / name / "x.kmod", 0o444, 7, DIGEST) for name in names]
    receipt = replace(
        receipt_of(names[0]), destdir=Path(f"/b/{names[1]}"), files=tuple(files[:count])
    )
    document = receipt_document(receipt)
    assert render_receipt(receipt).decode() == json.dumps(document, indent=1) + "\n"


def test_a_receipt_with_the_bytes_of_a_known_one_is_that_one(tmp_path: Path) -> None:
    for name in ("b", "a"):
        write_receipt(receipt_path(tmp_path, name), receipt_of(name))
    known = receipt_of("a")
    former = replace(receipt_of("b"), verdict=b"\1" * 32)
    found = load_receipts(tmp_path, known={render_receipt(it): it for it in (known, former)})
    assert found[0] is known
    assert found[1] == receipt_of("b") != former


def test_all_receipts_of_a_directory_are_read_by_name(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        write_receipt(receipt_path(tmp_path, name), receipt_of(name))
    (tmp_path / "other.json").write_bytes(b"{}")
    assert [receipt.name for receipt in load_receipts(tmp_path)] == ["a", "b", "c"]
    assert load_receipts(tmp_path / "absent") == ()


def test_receipts_of_modules_that_are_known_need_not_be_read(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        write_receipt(receipt_path(tmp_path, name), receipt_of(name))
    receipt_path(tmp_path, "b").write_text("{}")
    assert [receipt.name for receipt in load_receipts(tmp_path, {"b"})] == ["a", "c"]
    with pytest.raises(BuildsysError, match="not a receipt"):
        load_receipts(tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"format": 1', '"format": 2'),
        ('"name": "hello"', '"name": 5'),
        ('"name": "hello"', '"name": "../x"'),
        ('"size": 7', '"size": "7"'),
        ('"size": 7', '"size": true'),
        ('"size": 7', '"size": -7'),
        ('"mode": "0o444"', '"mode": "rw"'),
        ('"uname": "root"', '"uname": null'),
        ("hello/hello.kmod", "../../../../etc/passwd"),
        ("hello/hello.kmod", "other/other.kmod"),
        ('"files": [', '"file": ['),
    ],
)
def test_a_receipt_that_was_tampered_with_is_refused(tmp_path: Path, old: str, new: str) -> None:
    content = render_receipt(receipt_of("hello")).decode()
    assert old in content
    path = tmp_path / "hello.receipt.json"
    path.write_text(content.replace(old, new))
    with pytest.raises(BuildsysError, match=r"hello\.receipt\.json: not a receipt of this version"):
        load_receipt(path)
    assert find_receipt(path) is None


def test_a_missing_receipt_is_told_or_none(tmp_path: Path) -> None:
    with pytest.raises(BuildsysError, match=r"x\.receipt\.json: cannot read: No such file"):
        load_receipt(receipt_path(tmp_path, "x"))
    assert find_receipt(receipt_path(tmp_path, "x")) is None


@given(st.binary(max_size=80), st.integers(0, 400))
def test_any_bytes_are_read_or_refused(noise: bytes, at: int) -> None:
    content = render_receipt(receipt_of("hello"))
    for candidate in (noise, content[:at], content[:at] + noise + content[at:], b"[" * 5000):
        try:
            parse_receipt(candidate, Path("x"))
        except BuildsysError:
            continue
