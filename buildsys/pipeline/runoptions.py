"""How a run is to go, as the command line says."""

from buildsys.base.value import frozen


@frozen
class RunOptions:
    """How to run; names are the modules wanted, none meaning all.

    began_ns is when reading the configuration began (nanoseconds of the wall clock).
    """

    began_ns: int
    names: tuple[str, ...]
    has_install: bool
    jobs: int | None  # None: as many as the launcher can take, else default_jobs()
    is_keep_going: bool
    timeout_seconds: float | None
    is_privileged: bool = False
    has_prune: bool = False  # remove what is left over, once all is installed
    is_replacing: bool = False  # the named modules alone; what they require stays as installed
    key: bytes = b""  # of the request, under which its plan is kept; empty: it is not
