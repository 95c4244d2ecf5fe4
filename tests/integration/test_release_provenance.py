"""The SBOM and the statement: true of what is installed, and free of this machine."""

import hashlib
import json
import re
from pathlib import Path

from workspace import STAND, Workspace, make_workspace


def load(workspace: Workspace, name: str) -> dict[str, list[dict[str, object]]]:
    document: dict[str, list[dict[str, object]]] = json.loads(workspace.path(name).read_bytes())
    return document


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_sbom_names_each_kmod_with_its_sources_and_tools(workspace: Workspace) -> None:
    workspace.install()
    assert workspace.run("provenance").status == 0
    sbom = load(workspace, "sets/modules.spdx.json")
    packages = {str(package["name"]): package for package in sbom["packages"]}
    for name in ("alpha", "beta", "gamma"):
        found = packages[name]["checksums"]
        wanted = digest(workspace.path(f"{STAND}/{name}/{name}.kmod"))
        assert found == [{"algorithm": "SHA256", "checksumValue": wanted}]
    files = {str(file["fileName"]): file["checksums"] for file in sbom["files"]}
    wanted = digest(workspace.path("modules/gamma/tables.c"))
    assert files["./modules/gamma/tables.c"][1]["checksumValue"] == wanted  # type: ignore[index]
    wanted = digest(workspace.path("modules/first/limits.h"))
    assert files["./modules/first/limits.h"][1]["checksumValue"] == wanted  # type: ignore[index]
    assert any(name.startswith("./modbuild/include/sys/") for name in files)
    assert any("clang version" in str(package.get("versionInfo")) for package in packages.values())
    identifiers = {str(item["SPDXID"]) for key in ("packages", "files") for item in sbom[key]}
    assert all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", name) for name in identifiers)
    related = {
        (str(item["spdxElementId"]), str(item["relationshipType"]), str(item["relatedSpdxElement"]))
        for item in sbom["relationships"]
    }
    assert {one for one, _, _ in related} | {other for _, _, other in related} == identifiers | {
        "SPDXRef-DOCUMENT"
    }
    kinds = {kind for _, kind, _ in related}
    assert kinds == {"DESCRIBES", "GENERATED_FROM", "DEPENDS_ON", "BUILD_TOOL_OF"}


def test_the_statement_is_about_the_installed_kmods(workspace: Workspace) -> None:
    workspace.install()
    workspace.run("provenance", "-o", "out")
    statement = load(workspace, "out/modules.intoto.json")
    subjects = {str(item["name"]): item["digest"] for item in statement["subject"]}
    assert subjects == {
        f"stand/amd64/10.99.12/modules/{name}/{name}.kmod": {
            "sha256": digest(workspace.path(f"{STAND}/{name}/{name}.kmod"))
        }
        for name in ("alpha", "beta", "gamma")
    }


def test_documents_of_two_places_are_equal(tmp_path: Path) -> None:
    documents = []
    for name in ("one", "another"):
        (tmp_path / name).mkdir()
        workspace = make_workspace(tmp_path / name)
        workspace.install()
        workspace.run("provenance")
        found = {path.name: path.read_bytes() for path in workspace.path("sets").iterdir()}
        assert all(str(tmp_path).encode() not in content for content in found.values())
        documents.append(found)
    assert documents[0] == documents[1]


def test_documents_are_not_made_of_what_is_not_installed(workspace: Workspace) -> None:
    ran = workspace.run("provenance")
    assert (ran.status, "nothing is installed from here" in ran.err) == (1, True)
    workspace.install()
    workspace.edit("modules/gamma/tables.c", "<<", ">>")
    workspace.run("build")
    ran = workspace.run("provenance")
    assert (ran.status, "not the kmod that is installed" in ran.err) == (1, True)
