"""A report as one HTML page that needs no other file, no network and no script to be read."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from buildsys.report.model import Report
from buildsys.report.pagemodel import make_page
from buildsys.report.spelling import block, plain
from buildsys.version import __version__


def render_page(report: Report) -> bytes:
    """Give the bytes of the page; equal reports give equal bytes."""
    environment = Environment(
        loader=PackageLoader("buildsys"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(plain=plain, block=block)
    template = environment.get_template("report.html.jinja")
    text = template.render(page=make_page(report), report=report, version=__version__)
    return text.encode("utf-8")
