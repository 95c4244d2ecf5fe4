"""Shipped files are found in a clone and in an installed package."""

import shutil
import sys
from pathlib import Path

from buildsys.base import shipped
from buildsys.base.command import run_command
from buildsys.base.shipped import shipped_path


def test_clone_has_them_beside_the_package() -> None:
    assert shipped_path("toolchain/kmodule.ld").is_file()
    assert shipped_path("toolchain/machine").is_dir()


def test_installed_package_has_them_inside(tmp_path: Path) -> None:
    package = tmp_path / "site/buildsys"
    source = Path(shipped.__file__).parent
    (package / "base").mkdir(parents=True)
    for name in ("__init__.py", "errors.py", "shipped.py", "value.py"):
        shutil.copy(source / name, package / "base" / name)
    (package / "__init__.py").touch()
    (package / "_shipped/toolchain").mkdir(parents=True)
    code = "from buildsys.base.shipped import shipped_path; print(shipped_path('toolchain'))"
    result = run_command((sys.executable, "-c", code), package.parent)
    assert result.output.decode().strip() == str(package / "_shipped/toolchain")
