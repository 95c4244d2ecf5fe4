"""A compiler that costs little, for tests of thousands of builds: tcc behind clang's options.

It is a real one: it reads the includes, says which in a depfile, and writes relocatable ELF for
amd64. Assembly goes to GNU as, linking to GNU ld. Where these are missing, Zig's clang and lld
do the same work at some ten times the time.
"""

import os
import shutil
from pathlib import Path

from buildsys.toolchain.discover import load_toolchain
from buildsys.toolchain.machine import load_machine

# Keeps of the options what decides the result; the system's headers are told in the depfile, too.
_CC = """#!/bin/sh
# compiler {number}
left=$# source= output= depfile=
next() {{ left=$((left - 1)); }}
while test $left -gt 0; do
	word=$1; shift; next
	case $word in
	-D*|-U*|-I?*) set -- "$@" "$word" ;;
	-isystem|-iquote) set -- "$@" "-I$1"; shift; next ;;
	-include) set -- "$@" -include "$1"; shift; next ;;
	-MF) depfile=$1; shift; next ;;
	-MT|-target) shift; next ;;
	-o) output=$1; shift; next ;;
	-'###') exit 0 ;;
	*.c|*.S) source=$word ;;
	esac
done
case $source in
*.S) exec {as_} --64 --MD "$depfile" -o "$output" "$source" ;;
esac
exec {cc} -c -nostdinc -MD -MF "$depfile" -o "$output" {types} -DCOMPILER={number} "$@" "$source"
"""
_TYPES = {
    "INT8": "signed char", "INT16": "short", "INT32": "int", "INT64": "long", "INTPTR": "long",
    "UINT8": "unsigned char", "UINT16": "unsigned short", "UINT32": "unsigned int",
    "UINT64": "unsigned long", "UINTPTR": "unsigned long",
}  # fmt: skip


def quick_tools(number: int) -> dict[str, str]:
    """Give the text of scripts clang and ld.lld; the compiler defines COMPILER as that number."""
    programs = {name: shutil.which(name) for name in ("tcc", "as", "ld")}
    if not all(programs.values()):
        zig = load_toolchain("zig", load_machine("amd64"), None, os.environ).cc.argv[0]
        words = {"clang": f"clang -DCOMPILER={number}", "ld.lld": "ld.lld"}
        return {name: f'#!/bin/sh\nexec {zig} {rest} "$@"\n' for name, rest in words.items()}
    types = " ".join(f"'-D__{name}_TYPE__={text}'" for name, text in _TYPES.items())
    text = _CC.format(number=number, types=types, cc=programs["tcc"], as_=programs["as"])
    return {"clang": text, "ld.lld": f'#!/bin/sh\nexec {programs["ld"]} --no-warn-execstack "$@"\n'}


def write_tools(directory: Path, number: int) -> None:
    """Write the scripts into a directory, those that are another in place."""
    directory.mkdir(exist_ok=True)
    for name, text in quick_tools(number).items():
        path = directory / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            path.chmod(0o755)
