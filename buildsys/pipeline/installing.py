"""What the steps do that install: order each approved module, then switch to all that was ordered.

Imported when the first of them runs, or while programs run before that.
"""

from buildsys.base.files import make_directory
from buildsys.check.verdictfile import load_verdict
from buildsys.install.debug import follow_modules, order_debug
from buildsys.install.order import load_order, order_kmod, write_order
from buildsys.install.switch import describe_switch, switch_modules
from buildsys.pipeline.executor import Seen
from buildsys.pipeline.step import Install, Record
from buildsys.pipeline.vetting import vet_orders


def install(action: Install) -> Seen:
    """Order what a verdict approves."""
    approved = load_verdict(action.verdict).approve()
    make_directory(action.order.parent)
    write_order(action.order, order_kmod(approved, action.plist, action.place))
    if (debug := action.debug) is not None:
        write_order(debug.order, order_debug(approved, debug.file, debug.place))
    return (), ""


def record(action: Record) -> Seen:
    """Install what was ordered; tells what a person should know of that."""
    orders = tuple(load_order(path) for path in action.orders)
    texts = []
    for installation in action.installations:
        target = installation.place.target
        own = [order for order in orders if order.receipt.directory == target]
        texts.append(vet_orders(own, installation, action.vetting))
        texts.append(describe_switch(switch_modules(own, installation)))
        follow_modules(installation, [order for order in orders if order.is_debug_of(target)])
    return (), "\n".join(filter(None, texts))
