"""The documents that others' tools read: an SPDX 2.3 SBOM, and an in-toto statement (SLSA v1)."""

import json
import re
import time
from collections.abc import Iterable
from typing import Any

from buildsys.base.digest import digest_parts
from buildsys.provenance.build import Build, BuiltModule, Digested

_UNKNOWN = "NOASSERTION"
_BUILD_TYPE = "https://netbsd.org/modbuild/build/v1"
_SPACE = "https://netbsd.org/modbuild/spdx"


def render_sbom(build: Build) -> bytes:
    """Spell the SPDX document: a package a kmod, its sources as files, and what made it."""
    packages = [_package(module) for module in build.modules]
    packages += [_tool(tool) for tool in build.tools]
    sources = {_identify("File", s.name): s for m in build.modules for s in m.sources}
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"modules-{build.machine}-{build.release}",
        "documentNamespace": f"{_SPACE}/{_identity(build)}",
        "creationInfo": {
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(build.seconds)),
            "creators": [f"Tool: modbuild-{build.tool_version}"],
        },
        "packages": packages,
        "files": [_file(name, source) for name, source in sorted(sources.items())],
        "relationships": [*_relate(build)],
    }
    return _spell(document)


def _identity(build: Build) -> str:
    return digest_parts(*(module.sha256 for module in build.modules)).hex()


def _identify(kind: str, name: str) -> str:
    """Make an SPDX identifier; what it may not hold becomes a dash, a digest keeps names apart."""
    plain = re.sub(r"[^A-Za-z0-9.]", "-", name)
    return f"SPDXRef-{kind}-{plain}-{digest_parts(name.encode()).hex()[:8]}"


def _checksum(digest: bytes) -> list[dict[str, str]]:
    return [{"algorithm": "SHA256", "checksumValue": digest.hex()}]


def _package(module: BuiltModule) -> dict[str, Any]:
    commands = "\n".join(" ".join(argv) for argv in module.commands)
    return {
        "SPDXID": _identify("Module", module.name),
        "name": module.name,
        "versionInfo": module.version,
        "packageFileName": f"./{module.target}",
        "downloadLocation": _UNKNOWN,
        "filesAnalyzed": False,
        "checksums": _checksum(module.sha256),
        "licenseConcluded": _UNKNOWN,
        "licenseDeclared": _UNKNOWN,
        "copyrightText": _UNKNOWN,
        "sourceInfo": f"built by:\n{commands}",
        "primaryPackagePurpose": "LIBRARY",
    }


def _tool(tool: Digested) -> dict[str, Any]:
    return {
        "SPDXID": _identify("Tool", tool.name),
        "name": tool.name,
        **({"versionInfo": tool.version} if tool.version else {}),
        "downloadLocation": _UNKNOWN,
        "filesAnalyzed": False,
        "checksums": _checksum(tool.sha256),
        "licenseConcluded": _UNKNOWN,
        "licenseDeclared": _UNKNOWN,
        "copyrightText": _UNKNOWN,
        "primaryPackagePurpose": "APPLICATION",
    }


def _file(identifier: str, source: Digested) -> dict[str, Any]:
    return {
        "SPDXID": identifier,
        "fileName": f"./{source.name.lstrip('/')}",
        "fileTypes": ["SOURCE"],
        # SPDX 2.3, 8.4: a file has a SHA-1 in any case.
        "checksums": [
            {"algorithm": "SHA1", "checksumValue": source.sha1.hex()},
            *_checksum(source.sha256),
        ],
        "licenseConcluded": _UNKNOWN,
        "copyrightText": _UNKNOWN,
    }


def _relate(build: Build) -> Iterable[dict[str, str]]:
    known = {module.name for module in build.modules}
    for module in build.modules:
        own = _identify("Module", module.name)
        yield _relationship("SPDXRef-DOCUMENT", "DESCRIBES", own)
        for source in module.sources:
            yield _relationship(own, "GENERATED_FROM", _identify("File", source.name))
        for other in module.requires:
            if other in known:
                yield _relationship(own, "DEPENDS_ON", _identify("Module", other))
    for tool in build.tools:
        used = _identify("Tool", tool.name)
        for module in build.modules:
            yield _relationship(used, "BUILD_TOOL_OF", _identify("Module", module.name))


def _relationship(one: str, kind: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}


def render_statement(build: Build) -> bytes:
    """Spell the in-toto statement: subjects are the kmods, materials the sources and tools."""
    sources = {source for module in build.modules for source in module.sources}
    materials = sorted((*sources, *build.tools), key=lambda item: (item.name, item.sha256))
    document = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": module.target, "digest": {"sha256": module.sha256.hex()}}
            for module in build.modules
        ],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": _BUILD_TYPE,
                "externalParameters": {
                    "machine": build.machine,
                    "release": build.release,
                    "modules": [module.name for module in build.modules],
                },
                "internalParameters": {
                    "commands": {module.name: module.commands for module in build.modules}
                },
                "resolvedDependencies": [
                    {"uri": f"file:{item.name}", "digest": {"sha256": item.sha256.hex()}}
                    for item in materials
                ],
            },
            "runDetails": {
                "builder": {"id": _BUILD_TYPE, "version": {"modbuild": build.tool_version}},
                "metadata": {"invocationId": _identity(build)},
            },
        },
    }
    return _spell(document)


def _spell(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, indent=1, ensure_ascii=True) + "\n").encode()
