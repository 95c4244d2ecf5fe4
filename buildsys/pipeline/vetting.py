"""The last look before modules directories are switched: signatures, and what is installed."""

import importlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from buildsys.install.installation import Installation
from buildsys.install.order import Order
from buildsys.pipeline.outcome import FailureKind, StepError
from buildsys.pipeline.step import Vetting
from buildsys.provenance.keys import Trust

_SHOWN = 3


def vet_orders(orders: Sequence[Order], installation: Installation, vetting: Vetting) -> str:
    """Raise where a signature is missing or an installed module would break; gives warnings."""
    if vetting.trust is not None:
        refuse_unsigned(orders, vetting.trust)
    installed = find_kmods(installation.tree)
    new = {order.name: order.sources[-1] for order in orders}
    if not installed.keys() - new.keys() or _is_same(orders):
        return ""
    # What checks is imported where it is needed: it takes longer than all else here.
    load = importlib.import_module("buildsys.kernel.load")
    number = vetting.kernel_version
    kernel = load.find_kernel(vetting.kernel, vetting.machine, vetting.machine_arch, number)
    staying = importlib.import_module("buildsys.pipeline.staying")
    warnings: str = staying.judge_staying(new, installed, kernel, vetting.described)
    return warnings


def refuse_unsigned(orders: Iterable[Order], trust: Trust) -> tuple[str, ...]:
    """Raise unless a signed manifest lists every file of the orders; gives who signed it."""
    files = [(file.target, file.sha256) for order in orders for file in order.receipt.files]
    provenance = importlib.import_module("buildsys.provenance.trust")  # where one is required
    unsigned, signers = provenance.find_unsigned(trust, files)
    if unsigned:
        names = ", ".join(target.name for target in unsigned[:_SHOWN])
        rest = f" and {len(unsigned) - _SHOWN} more" if len(unsigned) > _SHOWN else ""
        raise StepError(
            f"a signature is required, and the manifest in {trust.directory} does not list these"
            f" bytes: {names}{rest}; install what was signed with 'install --from SET', or build"
            " the same bytes (-P)",
            FailureKind.FINDINGS,
        )
    return tuple(signers)


def find_kmods(tree: Path) -> dict[str, Path]:
    """Find the kmods in a modules directory, by module."""
    try:
        with os.scandir(tree) as found:
            names = sorted(entry.name for entry in found)
    except OSError:
        return {}
    paths = {name: f"{tree}/{name}/{name}.kmod" for name in names}
    return {name: Path(path) for name, path in paths.items() if os.path.lexists(path)}


def _is_same(orders: Iterable[Order]) -> bool:
    """Tell whether every file that is ordered stands there already."""
    return all(
        _has_size(order.receipt.destdir / file.target, file.size)
        and (order.receipt.destdir / file.target).read_bytes() == source.read_bytes()
        for order in orders
        for file, source in zip(order.receipt.files, order.sources, strict=True)
    )


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and not path.is_symlink() and path.stat().st_size == size
