"""The one door to jinja2: files of a new directory of modules, from their templates."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from jinja2 import Environment, PackageLoader, StrictUndefined

from buildsys.module.model import ModuleClass


def render_new_directory(name: str, kmod_class: ModuleClass) -> Iterator[tuple[PurePosixPath, str]]:
    """Give each file of a directory with one new module: its path and its text."""
    environment = Environment(  # noqa: S701  # C and YAML, not HTML
        loader=PackageLoader("buildsys"), undefined=StrictUndefined, keep_trailing_newline=True
    )
    values = {
        "name": name,
        "kmod_class": kmod_class.value,
        "class_macro": f"MODULE_CLASS_{kmod_class.name}",
    }
    places = (
        ("modbuild.yaml", "modbuild.yaml.jinja"),
        (".gitignore", "gitignore.jinja"),
        (f"modules/{name}/{name}.yaml", "module.yaml.jinja"),
        (f"modules/{name}/{name}.c", "module.c.jinja"),
    )
    for place, template in places:
        yield PurePosixPath(place), environment.get_template(template).render(values)
