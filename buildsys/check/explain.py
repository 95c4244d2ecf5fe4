"""Why a module does not load, and what would mend it: explanations beside the findings."""

from collections.abc import Mapping, Sequence

from buildsys.base.value import frozen, replace
from buildsys.check.judge import read_description
from buildsys.check.kmodfile import KmodCache, Linkable
from buildsys.check.kobj import Halt
from buildsys.check.nearest import NameIndex, index_names
from buildsys.check.verdict import Explanation, Finding, Origin, Verdict
from buildsys.elf.model import show_name
from buildsys.kconfig.definitions import Definition, find_definitions
from buildsys.kconfig.language import KernelSources
from buildsys.kconfig.spelling import describe_condition
from buildsys.kernel.model import Kernel
from buildsys.kernel.version import KernelVersion

_UNDEFINED, _VERSION = "undefined-symbol", "version-mismatch"
_MAXIMUM_NAMES = 100  # of which explanations are given for one kernel


@frozen
class Grounds:
    """What explanations rest on; sources is None without a source tree.

    old_kernels are of earlier builds, the newest last.
    """

    kernel: Kernel
    cache: KmodCache
    old_kernels: tuple[Kernel, ...] = ()
    sources: KernelSources | None = None


def explain_verdicts(verdicts: Sequence[Verdict], grounds: Grounds) -> tuple[Verdict, ...]:
    """Give the verdicts with explanations of their undefined symbols and wrong versions."""
    names = dict.fromkeys(
        finding.subject
        for verdict in verdicts
        for finding in verdict.findings
        if finding.rule == _UNDEFINED and finding.subject
    )
    wanted = list(names)[:_MAXIMUM_NAMES]
    symbols = grounds.kernel.symbols
    index = index_names({*(symbols.globals if symbols else ()), *grounds.cache.providers})
    origins = {} if grounds.sources is None else find_definitions(grounds.sources, wanted)
    explained = {name: _explain_symbol(name, grounds, index, origins) for name in wanted}
    return tuple(_add(verdict, explained, grounds) for verdict in verdicts)


def _add(verdict: Verdict, explained: Mapping[str, Explanation], grounds: Grounds) -> Verdict:
    explanations = []
    for finding in verdict.findings:
        if finding.rule == _UNDEFINED and finding.subject in explained:
            explanations.append(_fit(explained[finding.subject], verdict))
        elif finding.rule == _VERSION:
            explanations.append(_explain_version(finding, grounds))
    return replace(verdict, explanations=tuple(dict.fromkeys(explanations)))


def _fit(explanation: Explanation, verdict: Verdict) -> Explanation:
    """Leave out the advice to require what is required, and built in without the name."""
    if not set(explanation.offered_by) & set(verdict.requires):
        return explanation
    return replace(explanation, advice=tuple(_advise((), explanation.origins)))


def _explain_symbol(
    name: str,
    grounds: Grounds,
    index: NameIndex,
    found: Mapping[str, tuple[Definition, ...]],
) -> Explanation:
    provider = grounds.cache.providers.get(name)
    origins = tuple(
        Origin(place.file.path, place.line, _spell(grounds, place)) for place in found.get(name, ())
    )
    gone = [
        old.label
        for old in grounds.old_kernels
        if old.symbols is not None and name in old.symbols.globals
    ]
    offered = () if provider is None else (provider,)
    nearest = () if offered else index.find(name)
    return Explanation(
        _UNDEFINED, name, nearest, offered, origins, gone[-1] if gone else "",
        tuple(_advise(offered, origins)),
    )  # fmt: skip


def _spell(grounds: Grounds, place: Definition) -> str:
    sources, condition = grounds.sources, place.file.condition
    return "" if sources is None or not condition else describe_condition(sources, condition)


def _advise(offered: Sequence[str], origins: Sequence[Origin]) -> list[str]:
    advice = [f"require {show_name(name)} in MODULE()" for name in offered]
    if not offered and origins:
        first = origins[0]
        if first.condition:
            advice.append(f"build the kernel with {first.condition}, or a module of {first.path}")
        else:
            advice.append("every kernel of these sources has it; this one was built from others")
    return advice


def _explain_version(finding: Finding, grounds: Grounds) -> Explanation:
    file = grounds.cache.read(finding.path).result
    described = grounds.cache.ask(read_description, file) if isinstance(file, Linkable) else None
    if described is None or isinstance(described, Halt):
        return Explanation(_VERSION, "")
    version, kernel = KernelVersion(described.version), grounds.kernel
    place = f"/stand/{kernel.machine}/{version.release}/modules"
    name = show_name(described.name or "")
    return Explanation(
        _VERSION, name,
        advice=(
            f"as it is, it belongs in {place}/{name}, for a kernel of {version}",
            f"for this kernel build {name} again from the sources of NetBSD {kernel.version} "
            f"(modbuild install --release {kernel.version} {name}); it goes to "
            f"{kernel.modules_directory}/{name}",
        ),
    )  # fmt: skip
