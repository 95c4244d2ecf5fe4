"""Where everything of one module goes: below the object directory, and below DESTDIR."""

from pathlib import Path

from buildsys.base.value import frozen, replace
from buildsys.install.debug import debug_directory, order_beside, receipts_beside
from buildsys.install.layout import InstallPlace
from buildsys.install.receipt import receipt_path
from buildsys.module.model import Module
from buildsys.pipeline.objdir import objects_directory
from buildsys.pipeline.places import machine_directory, receipts_place, usual_place
from buildsys.pipeline.request import Request


@frozen
class DebugPaths:
    """Where the split debugging information of a module goes."""

    file: Path  # NAME.kmod.debug in the object directory
    place: InstallPlace
    order: Path
    receipt: Path

    @property
    def installed(self) -> Path:
        """Give NAME.kmod.debug below DESTDIR."""
        name = self.file.name
        return self.place.destdir / self.place.target / name.partition(".kmod")[0] / name


@frozen
class ModulePaths:
    """Where everything of one module goes; debug is None where nothing is split off."""

    objects: Path
    kmod: Path
    plist: Path
    verdict: Path
    order: Path
    receipt: Path
    installed: Path  # the directory NAME/ below DESTDIR/stand/…/modules
    debug: DebugPaths | None


@frozen
class RunPaths:
    """Where the modules of one run go: what all of them have in common."""

    objdir: Path  # of the machine
    receipts: Path
    place: InstallPlace  # of modules that name none of their own
    root: Path  # that place, on this machine

    def find(self, module: Module) -> ModulePaths:
        """Say where everything of a module goes."""
        name = module.name
        objects = objects_directory(self.objdir, name)
        kmod = objects / f"{name}.kmod"
        order = objects / f"{name}.{self.receipts.name}.order.json"  # each DESTDIR has its own
        place = self.place_of(module)
        root = self.root if place is self.place else place.destdir / place.target
        return ModulePaths(
            objects,
            kmod,
            objects / f"{name}.plist",
            objects / f"{name}.verdict.json",
            order,
            receipt_path(self.receipts, name),
            root / name,
            self._find_debug(module, kmod, order, place),
        )

    def place_of(self, module: Module) -> InstallPlace:
        """Say where one module is installed: makefiles may name a place of its own (KMODULEDIR)."""
        own = None if module.recipe is None else module.recipe.install_directory
        place = self.place
        return place if own is None or own == place.target else replace(place, modules=own)

    def _find_debug(
        self, module: Module, kmod: Path, order: Path, place: InstallPlace
    ) -> DebugPaths | None:
        root = None if module.recipe is None else module.recipe.debug_directory
        if root is None:
            return None
        return DebugPaths(
            kmod.with_name(f"{kmod.name}.debug"),
            replace(place, modules=debug_directory(place.target, root)),
            order_beside(order),
            receipt_path(receipts_beside(self.receipts), module.name),
        )


def find_run_paths(request: Request, is_privileged: bool) -> RunPaths:
    """Say where the modules of a run go."""
    place = install_place(request, is_privileged)
    return RunPaths(
        machine_objdir(request), receipts_directory(request), place, place.destdir / place.target
    )


def install_place(request: Request, is_privileged: bool) -> InstallPlace:
    """Say where modules of this run are installed."""
    return usual_place(request.config, request.target, is_privileged)


def is_installed(module: Module) -> bool:
    """Tell whether a module is meant to be installed; makefiles may say that it is not."""
    return module.recipe is None or module.recipe.install_directory is not None


def receipts_directory(request: Request) -> Path:
    """Give where the receipts of one DESTDIR and kernel version go."""
    return receipts_place(request.config, request.target)


def machine_objdir(request: Request) -> Path:
    """Give the object directory of this machine: OBJDIR/amd64-x86_64."""
    return machine_directory(request.config, request.target)
