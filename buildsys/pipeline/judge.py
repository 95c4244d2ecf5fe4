"""The judge of a run: kmods against the run's kernel, those that others require kept at hand."""

import threading
from collections.abc import Iterable
from pathlib import Path

from buildsys.base.files import write_whole
from buildsys.check.beyond import Expected
from buildsys.check.check import check_kmod
from buildsys.check.drift import Drift, parse_policy
from buildsys.check.kmodfile import KmodCache
from buildsys.check.verdict import Verdict
from buildsys.check.verdictfile import load_verdict, render_verdict
from buildsys.kernel.load import find_kernel
from buildsys.kernel.model import Kernel
from buildsys.kernel.version import KernelVersion
from buildsys.pipeline.executor import Seen
from buildsys.pipeline.refusal import refusal_of
from buildsys.pipeline.step import Check

_KEPT_BYTES = 2 << 20  # of kmods: those that many others require are asked for again and again


class Judge:
    """Judges the kmods of one run; called from several threads, it judges one at a time."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._caches: dict[tuple[Path | None, str, str, int], tuple[Kernel, KmodCache]] = {}

    def judge(self, action: Check) -> Verdict:
        """Judge a kmod and write its verdict, whatever it says."""
        version = KernelVersion(action.kernel_version)
        expected = None
        if action.expected_class is not None:
            promised = (action.expected_class.value, version, action.expected_requires)
            expected = Expected(action.name, *promised)
        with self._lock:
            kernel, cache = self.load(action)
            required = {**dict(action.installed), **dict(action.required)}
            drift = Drift(action.options, parse_policy(action.drift))
            verdict = check_kmod(action.kmod, kernel, required, expected, cache, drift)
            cache.shrink(_KEPT_BYTES)
        write_whole(action.verdict, render_verdict(verdict))
        return verdict

    def check(self, action: Check) -> Seen:
        """Judge a kmod; RefusedError says why it is not fit. Gives the files that decided."""
        verdict = self.judge(action)
        if not verdict.is_fit:
            raise refusal_of(verdict)
        return tuple(str(path) for path in verdict.inputs), ""

    def load(self, action: Check) -> tuple[Kernel, KmodCache]:
        """Read the kernel that a check is against, if it was not yet."""
        key = (action.kernel, action.machine, action.machine_arch, action.kernel_version)
        found = self._caches.get(key)
        if found is None:
            kernel = find_kernel(*key)
            found = self._caches[key] = (kernel, KmodCache(kernel))
        return found


def load_verdicts(paths: Iterable[Path]) -> tuple[Verdict, ...]:
    """Read the verdicts that exist."""
    return tuple(load_verdict(path) for path in paths if path.exists())
