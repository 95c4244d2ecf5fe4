"""The modules that a configuration describes in YAML; imports no more than that takes."""

from buildsys.base.errors import BuildsysError, Place, UsageError
from buildsys.config import Config
from buildsys.module.descriptor import load_descriptors
from buildsys.module.model import Module
from buildsys.toolchain.model import Machine


def is_tree_described(config: Config) -> bool:
    """Tell whether modules come from the source tree's makefiles: no descriptors are given."""
    is_default = dict(config.origins).get("modules") == "default"
    return config.src is not None and is_default and not config.modules.is_dir()


def lacks_tree(config: Config, purpose: str) -> UsageError:
    """Give the error of who needs makefiles: no tree is given, or there are descriptors."""
    if config.src is None:
        return UsageError(f"{purpose}; give one with --src")
    text = f"{config.modules}: {purpose}, and here these descriptors stand for them"
    return UsageError(f"{text}; run it in a directory without modules/, and without --modules")


def load_modules(config: Config, machine: Machine) -> tuple[Module, ...]:
    """Read all descriptors of a configuration."""
    if not config.modules.is_dir():
        raise BuildsysError(
            "there is no such directory; expected module descriptors NAME/NAME.yaml in it "
            "(make a first one with 'modbuild init DIR')",
            Place(config.modules),
        )
    modules = load_descriptors(config.modules, module_variables(config, machine))
    if not modules:
        raise BuildsysError(
            "no module descriptor NAME/NAME.yaml in this directory", Place(config.modules)
        )
    return modules


def module_variables(config: Config, machine: Machine) -> dict[str, str]:
    """Give what ${NAME} stands for in a descriptor."""
    variables = {
        "MACHINE": machine.name,
        "MACHINE_ARCH": machine.arch,
        "MACHINE_CPU": machine.cpu,
        "OBJDIR": str(config.objdir / machine.label),
    }
    if config.src is not None:
        variables["NETBSDSRCDIR"] = str(config.src)
        variables["S"] = str(config.src / "sys")
    return variables
