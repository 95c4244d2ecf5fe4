"""The verb import: modules of a source tree as YAML descriptors."""

import argparse
from pathlib import Path

from buildsys.base.errors import BuildsysError, ExitStatus
from buildsys.base.files import make_directory, write_if_changed
from buildsys.base.wording import count, show_path
from buildsys.cli import Context
from buildsys.pipeline.descriptors import lacks_tree
from buildsys.pipeline.outputs import refuse_places
from buildsys.pipeline.plan import select_modules
from buildsys.pipeline.session import load_named
from buildsys.srctree.importing import Importer, path_variables
from buildsys.verbs.settings import read_config


def import_tree(arguments: argparse.Namespace, context: Context) -> ExitStatus:
    """Write descriptors from which the same bytes are built without make."""
    config = read_config(arguments, context)
    request, names = load_named(config, context.environment, arguments.names)
    if request.tree is None or config.src is None:
        raise lacks_tree(config, "import reads the makefiles of a source tree")
    target = request.target
    modules = select_modules(request, names)
    paths = {
        "NETBSDSRCDIR": config.src,
        "S": config.src / "sys",
        "OBJDIR": config.objdir / target.machine.label,
    }
    origin = f"NetBSD {target.version.release}, {target.machine.label}"
    directory = Path(context.directory, arguments.output)
    refuse_places("--output", directory, config, allowed=("modules",))
    _refuse_other_files(directory)
    importer = Importer(path_variables(paths), origin)
    for file in importer.render(modules):
        path = directory / file.name
        make_directory(path.parent)
        write_if_changed(path, file.text.encode())
    print(f"{show_path(directory, context.directory)}: {count(len(modules), 'descriptor')}")
    for trouble in request.tree.troubles:
        print(f"left out: {trouble.message}")
    return ExitStatus.FAILED if request.tree.troubles else ExitStatus.DONE


def _refuse_other_files(directory: Path) -> None:
    """Refuse a directory that holds anything that an import would not have written."""
    if not directory.exists():
        return
    for path in sorted(directory.glob("*/*")):
        if path.suffix != ".yaml" or path.stem != path.parent.name:
            raise BuildsysError(
                "stands where descriptors would be written; name an empty directory", path
            )
