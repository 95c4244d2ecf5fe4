"""Where modules go, and what is kept about them, as a value."""

from pathlib import Path

from buildsys.base.value import frozen
from buildsys.install.layout import InstallPlace


@frozen
class Installation:
    """Where modules go, and what is kept about them outside of DESTDIR.

    history is where former generations go if that is on DESTDIR's file system. can_exchange is
    False to do without renameat2.
    """

    place: InstallPlace
    receipts: Path  # a directory
    history: Path
    metalog: Path
    can_exchange: bool = True

    @property
    def tree(self) -> Path:
        """Give the modules directory on this machine."""
        return self.place.destdir / self.place.target
