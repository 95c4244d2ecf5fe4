"""Whether what is installed still loads when some kmods beside it are replaced."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from buildsys.check.check import check_set
from buildsys.check.verdict import Verdict
from buildsys.kernel.model import Kernel


def find_broken(
    new: Mapping[str, Path], installed: Mapping[str, Path], kernel: Kernel
) -> tuple[Verdict, ...]:
    """Judge installed kmods with new ones in place of theirs, by module name.

    Gives the verdicts of those that stay, loaded with the former ones, and would not any more.
    """
    staying = sorted(path for name, path in installed.items() if name not in new)
    if not staying:
        return ()
    after = _judge((*new.values(), *staying), staying, kernel)
    suspects = [verdict.path for verdict in after if not verdict.is_fit]
    if not suspects:
        return ()
    before = _judge(sorted(installed.values()), suspects, kernel)
    fit = {verdict.path for verdict in before if verdict.is_fit}
    return tuple(verdict for verdict in after if verdict.path in fit and not verdict.is_fit)


def _judge(paths: Iterable[Path], wanted: Iterable[Path], kernel: Kernel) -> list[Verdict]:
    chosen = set(wanted)
    return [verdict for verdict in check_set(tuple(paths), kernel) if verdict.path in chosen]
