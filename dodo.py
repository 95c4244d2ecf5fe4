"""modbuild's steps as doit tasks: doit list, doit build:hello, doit install, doit clean."""

import os
from collections.abc import Iterator
from pathlib import Path

from buildsys.pipeline.dodo import dodo_tasks

DOIT_CONFIG = {
    "par_type": "thread",
    "num_process": len(os.sched_getaffinity(0)),
    "verbosity": 2,
    "forget_disable_default": True,  # 'doit forget' alone asks for names, or --all
}


def task_modbuild() -> Iterator[dict[str, object]]:
    """Give every step of the modules in modules/, with the settings of modbuild.yaml."""
    yield from dodo_tasks(Path.cwd(), dict(os.environ))
