"""What 'check --explain' looks at besides the kmods: a source tree, old kernels, DESTDIR."""

import functools
from pathlib import Path

from buildsys.base.value import frozen
from buildsys.check.explain import Grounds
from buildsys.check.kmodfile import KmodCache, Linkable
from buildsys.config import Config
from buildsys.kconfig.language import KernelSources, read_kernel_sources
from buildsys.kernel.model import Kernel
from buildsys.verbs.targets import load_other_kernel


@frozen
class Explainer:
    """Where explanations come from; old_kernels are the earlier ones, the newest last."""

    config: Config
    old_kernels: tuple[Kernel, ...]

    def make_grounds(self, kernel: Kernel, cache: KmodCache) -> Grounds:
        """Give what explanations for one kernel rest on; cache then knows DESTDIR's modules too."""
        directory = self.config.destdir / kernel.modules_directory.lstrip("/")
        for path in sorted(directory.glob("*/*.kmod")):
            file = cache.read(path).result
            for name in file.kobj.defined if isinstance(file, Linkable) else ():
                cache.providers.setdefault(name, path.name.removesuffix(".kmod"))
        source = self.config.src
        sources = None if source is None else _read_sources(source / "sys", kernel.machine)
        return Grounds(kernel, cache, self.old_kernels, sources)


def make_explainer(config: Config, old_kernels: tuple[Path, ...]) -> Explainer:
    """Load the old kernels, in the order of their versions."""
    kernels = [load_other_kernel(config, path, is_free=True) for path in old_kernels]
    kernels.sort(key=lambda kernel: kernel.version)
    return Explainer(config, tuple(kernels))


@functools.cache
def _read_sources(root: Path, machine: str) -> KernelSources:
    return read_kernel_sources(root, machine)
