"""Back to a former generation of a modules directory: the same switch, with other sources."""

from buildsys.base.digest import digest_file
from buildsys.base.errors import BuildsysError, UsageError
from buildsys.base.value import frozen
from buildsys.install.history import Generation, find_history, load_generations
from buildsys.install.installation import Installation
from buildsys.install.order import Order
from buildsys.install.receipt import Receipt, load_installed
from buildsys.install.switch import Switch, finish_interrupted, switch_modules


@frozen
class Difference:
    """What going back to a generation changes, by module name."""

    back: tuple[str, ...]  # other bytes than now, or not there now
    removed: tuple[str, ...]  # there now, and not then


def list_generations(installation: Installation) -> tuple[Generation, ...]:
    """Give the former generations, the latest first, after finishing what a kill cut short."""
    finish_interrupted(installation)
    tree = installation.tree
    history = find_history(installation.history, installation.place.destdir, tree.parent)
    return load_generations(history)


def find_difference(installation: Installation, generation: Generation) -> Difference:
    """Compare a generation with what is installed now, by the receipts."""
    now = load_installed(installation)
    then = {receipt.name: receipt for receipt in generation.receipts}
    back = sorted(name for name, receipt in then.items() if now.get(name) != receipt)
    return Difference(tuple(back), tuple(sorted(now.keys() - then.keys())))


def choose_generation(generations: tuple[Generation, ...], number: int | None) -> Generation:
    """Choose by number, or the latest."""
    if not generations:
        raise UsageError("there is no former generation to go back to")
    for generation in generations:
        if number is None or generation.number == number:
            return generation
    known = ", ".join(str(generation.number) for generation in generations)
    raise UsageError(f"no generation {number}; there are {known}")


def roll_back(installation: Installation, generation: Generation) -> Switch:
    """Install a generation's modules again, after their digests were found right.

    Files that modbuild did not install stay. What is replaced becomes a generation in turn.
    """
    difference = find_difference(installation, generation)
    orders = tuple(_order_again(generation, receipt) for receipt in generation.receipts)
    return switch_modules(orders, installation, difference.removed)


def _order_again(generation: Generation, receipt: Receipt) -> Order:
    sources = tuple(
        generation.tree / file.target.relative_to(receipt.directory) for file in receipt.files
    )
    for file, source in zip(receipt.files, sources, strict=True):
        if digest_file(source) != file.sha256:
            raise BuildsysError(
                f"not as it was installed; generation {generation.number} cannot be restored",
                source,
            )
    return Order(receipt, sources)
