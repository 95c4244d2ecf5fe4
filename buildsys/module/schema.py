"""What a descriptor may hold, as JSON Schema: for editors, and for the readers that refuse more."""

from buildsys.module.model import MAXIMUM_NAME_BYTES, ModuleClass
from buildsys.plist import MAXIMUM_KEY_BYTES

NAME_PATTERN = r"[A-Za-z0-9_][A-Za-z0-9_.+-]*"
OWN_MARK = "..."  # in a list of a base: here stand the own flags of each module
WARNINGS = ("-Wall", "-Wextra", "-Werror")
_STRINGS = {"type": "array", "items": {"type": "string"}}
_FLAGS = {"type": "array", "items": {"type": "string", "pattern": "^(?!@)"}}
_NAME_SCHEMA = {"type": "string", "pattern": f"^{NAME_PATTERN}$", "maxLength": MAXIMUM_NAME_BYTES}
_NAMES = {"type": "array", "items": _NAME_SCHEMA}
_PATHS = {"type": "array", "items": {"type": "string", "minLength": 1}}
_DEFINE_OR_VARIABLE = r"^[A-Za-z_$][\w${}]*(\([\s\S]*\))?(=[\s\S]*)?$"  # before ${X} is replaced
_MARK_TEXT = f'complete; "{OWN_MARK}" in a base is where own_cflags or own_cppflags go'

# Every key of 'stock' with its JSON Schema; recipefile.py reads these and no others.
RECIPE_FIELDS: dict[str, dict[str, object]] = {
    "base": {
        "type": "string",
        "description": "A file of these same keys, for what several modules share.",
    },
    "directory": {"type": "string", "description": "The directory of the Makefile, ${CURDIR}."},
    "system": {"type": "string", "description": "The sys/ of the source tree, make's ${S}."},
    "cflags": {**_STRINGS, "description": f"CFLAGS, {_MARK_TEXT}."},
    "own_cflags": {**_STRINGS, "description": "What cflags of the base have for this module."},
    "aflags": {**_STRINGS, "description": "AFLAGS, for assembly."},
    "cppflags": {**_STRINGS, "description": f"CPPFLAGS, {_MARK_TEXT}."},
    "own_cppflags": {**_STRINGS, "description": "What cppflags of the base have for this module."},
    "ldflags": {**_STRINGS, "description": "LDFLAGS, as the compiler takes them."},
    "assembly_flags": {**_STRINGS, "description": "What stands after CPPFLAGS for a .S file."},
    "link_script": {"type": "string", "description": "The linker script, KMODSCRIPT."},
    "link_sets": {"type": "string", "description": "The mkldscript.sh that adds link sets to it."},
    "assym": {"type": "string", "description": "genassym.cf, from which assym.h is made."},
    "assym_flags": {**_STRINGS, "description": "Further flags of the compiler for assym.h."},
    "config_options": {**_STRINGS, "description": "CONFIGOPTS, for config(1)."},
    "parsers": {
        "type": "array",
        "description": "Sources that yacc or lex make: source, argv, names of what is made.",
        "items": {
            "type": "object",
            "properties": {
                "source": {"type": "string"},
                "argv": {**_STRINGS, "minItems": 1},
                "names": {**_STRINGS, "minItems": 1},
            },
            "required": ["source", "argv", "names"],
            "additionalProperties": False,
        },
    },
    "trampolines": {
        "type": "object",
        "description": "arm: the awk program, and kmodwrap.awk, kmodtramp.awk, kmodhide.awk.",
        "properties": {name: {"type": "string"} for name in ("awk", "wrap", "tramp", "hide")},
        "required": ["awk", "wrap", "tramp"],
        "additionalProperties": False,
    },
    "ctf_convert": {**_STRINGS, "description": "CTFFLAGS: ctfconvert goes over each object."},
    "ctf_merge": {**_STRINGS, "description": "CTFMFLAGS: ctfmerge goes over the finished kmod."},
    "debug": {**_STRINGS, "description": "Split off NAME.kmod.debug, with these flags of objcopy."},
    "debug_directory": {"type": "string", "description": "DEBUGDIR, where that file goes."},
    "install": {
        "type": "string",
        "description": "The directory of NAME/ on the target; none: it is not installed.",
    },
}

# Every key of a descriptor with its JSON Schema; descriptor.py reads these and no others.
FIELDS: dict[str, dict[str, object]] = {
    "kmod": {
        **_NAME_SCHEMA,
        "description": "Name of the module and of its file; default: the directory's name.",
    },
    "class": {
        "enum": [kmod_class.value for kmod_class in ModuleClass],
        "description": "Class of module(7); must be what MODULE() in the source says.",
    },
    "description": {"type": "string", "description": "One line for people."},
    "sources": {
        **_STRINGS,
        "items": {"type": "string", "pattern": r"\.[cSs]$"},
        "minItems": 1,
        "description": "C (.c) and assembly (.S) files, relative to the descriptor.",
    },
    "requires": {
        **_NAMES,
        "uniqueItems": True,
        "description": "Modules that must be loaded before; must be what MODULE() says.",
    },
    "include": {**_PATHS, "description": "Directories for -I, relative to the descriptor."},
    "defines": {
        "type": "array",
        "items": {"type": "string", "pattern": _DEFINE_OR_VARIABLE},
        "description": "NAME or NAME=VALUE for -D, in this order.",
    },
    "warnings": {
        **_FLAGS,
        "default": list(WARNINGS),
        "description": "Warning flags of the C compiler; [] for none.",
    },
    "cflags": {**_FLAGS, "description": "Further flags of the C compiler."},
    "source_flags": {
        "type": "object",
        "additionalProperties": _FLAGS,
        "description": "Further flags of single files: {file.c: [-fwrapv]}.",
    },
    "ioconf": {
        "type": "string",
        "minLength": 1,
        "description": "Input of config -b; makes ioconf.c, ioconf.h.",
    },
    "properties": {
        "type": "object",
        "propertyNames": {"minLength": 1, "maxLength": MAXIMUM_KEY_BYTES},
        "additionalProperties": {
            "type": ["string", "boolean", "integer"],
            "minimum": -(1 << 63),
            "maximum": (1 << 64) - 1,
        },
        "description": "The dictionary that MODULE_CMD_INIT gets, installed as NAME.plist.",
    },
    "machines": {**_NAMES, "description": "MACHINE, MACHINE_ARCH or both (evbarm-aarch64)."},
    "ident_note": {
        "type": "boolean",
        "default": True,
        "description": "Stamp the file with a .note.netbsd.ident of the kernel's version.",
    },
    "stock": {
        "type": "object",
        "properties": RECIPE_FIELDS,
        "additionalProperties": False,
        "description": "NetBSD's own recipe, as 'modbuild import' writes it: every flag.",
    },
}


def describe_schema() -> dict[str, object]:
    """Give the JSON Schema of a descriptor."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "modbuild module descriptor",
        "type": "object",
        "properties": FIELDS,
        "required": ["sources"],
        "anyOf": [{"required": ["class"]}, {"required": ["stock"]}],
        "additionalProperties": False,
    }
