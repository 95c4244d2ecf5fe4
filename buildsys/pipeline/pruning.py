"""Taking away installed modules that nothing describes any more, after all was installed."""

from buildsys.base.value import replace
from buildsys.base.wording import count
from buildsys.install.debug import follow_modules
from buildsys.install.receipt import load_installed, load_receipts
from buildsys.install.switch import switch_modules
from buildsys.pipeline.needing import NeededError, choose_parting, describe_needs
from buildsys.pipeline.paths import install_place, receipts_directory
from buildsys.pipeline.places import installation_at
from buildsys.pipeline.request import Request
from buildsys.pipeline.vetting import find_kmods


def prune_left_over(request: Request, is_privileged: bool) -> None:
    """Remove the modules that nothing describes any more, each directory at one moment.

    Those that others or the machine need stay, and are named by a NeededError once the rest went.
    """
    if request.tree is not None and request.tree.troubles:
        return  # one that could not be read is not gone
    described = {module.name for module in request.modules}
    place = install_place(request, is_privileged)
    for receipt in load_receipts(receipts_directory(request), described):
        if receipt.directory != place.target:
            own = replace(place, modules=receipt.directory)
            installation = installation_at(request.config, request.target, own)
            switch_modules([], installation, [receipt.name])
            follow_modules(installation)
    usual = installation_at(request.config, request.target, place)
    names = [name for name in load_installed(usual) if name not in described]
    if not names:
        return
    parting = choose_parting(request.config, find_kmods(usual.tree), names)
    if parting.going:
        switch_modules([], usual, parting.going)
        follow_modules(usual)
    if parting.needs:
        raise NeededError(
            f"{usual.tree}: installed, but {count(len(parting.needs), 'left-over module')} stayed,"
            " being needed; 'modbuild uninstall --left-over --even-needed' removes them:\n"
            f"{describe_needs(parting.needs)}"
        )
