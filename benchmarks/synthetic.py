"""A tree of modules of any size for the benchmarks: descriptors, sources and headers."""

from pathlib import Path

_HEADERS_PER_GROUP = 40
_WIDE = "wide.h"


def write_tree(directory: Path, modules: int, sources: int, headers: int) -> None:
    """Write modules/mNNN/ with sources each, and headers that include each other in groups.

    Every source includes the head of one group, through which it reads that group's headers and
    wide.h, which all sources read.
    """
    include = directory / "include"
    include.mkdir(parents=True)
    (include / _WIDE).write_text("#define WIDE 1\nstruct wide { int a; };\n")
    groups = max(1, headers // _HEADERS_PER_GROUP)
    for group in range(groups):
        names = [f"g{group}_{index}.h" for index in range(_HEADERS_PER_GROUP)]
        for index, name in enumerate(names):
            text = f"struct {name[:-2]} {{ int member[{index + 1}]; }};\n"
            (include / name).write_text(text)
        lines = [f'#include "{_WIDE}"', *(f'#include "{name}"' for name in names)]
        (include / f"group{group}.h").write_text("\n".join(lines) + "\n")
    for module in range(modules):
        _write_module(directory / "modules", module, sources, groups)


def _write_module(directory: Path, module: int, sources: int, groups: int) -> None:
    name = f"m{module:04}"
    place = directory / name
    place.mkdir(parents=True)
    files = [f"{name}_{index}.c" for index in range(sources)]
    (place / f"{name}.yaml").write_text(
        f"class: misc\nsources: [{', '.join(files)}]\ninclude: [../../include]\n"
    )
    for index, file in enumerate(files):
        lines = [f'#include "group{(module + index) % groups}.h"']
        if index == 0:
            lines += [
                "#include <sys/param.h>",
                "#include <sys/module.h>",
                f"MODULE(MODULE_CLASS_MISC, {name}, NULL);",
                f"static int {name}_modcmd(modcmd_t c, void *p) {{ (void)p; return (int)c; }}",
            ]
        lines.append(f"int {name}_f{index}(int x);")
        lines += [f"int {name}_f{index}(int x) {{ return x * {index + 3} + WIDE; }}"]
        (place / file).write_text("\n".join(lines) + "\n")
