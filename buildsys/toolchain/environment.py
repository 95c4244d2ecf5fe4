"""The environment of compilers and linkers: the caller's, less what would change their output."""

from collections.abc import Mapping

# Variables by which the caller's shell would change what a compiler or linker makes.
_DISTURBING = frozenset(
    {
        "AS_SECURE_LOG_FILE",
        "CCC_OVERRIDE_OPTIONS",
        "CC_LOG_DIAGNOSTICS",
        "CC_PRINT_HEADERS",
        "CC_PRINT_OPTIONS",
        "CLANG_CONFIG_FILE_SYSTEM_DIR",
        "CLANG_CONFIG_FILE_USER_DIR",
        "COMPILER_PATH",
        "CPATH",
        "CPLUS_INCLUDE_PATH",
        "C_INCLUDE_PATH",
        "DEPENDENCIES_OUTPUT",
        "GCC_COMPARE_DEBUG",
        "GCC_EXEC_PREFIX",
        "GNUTARGET",  # the format that binutils take for the usual one
        "LANG",
        "LANGUAGE",
        "LDEMULATION",
        "LD_RUN_PATH",
        "LIBRARY_PATH",
        "LLD_REPRODUCE",
        "OBJC_INCLUDE_PATH",
        "QA_OVERRIDE_GCC3_OPTIONS",
        "SOURCE_DATE_EPOCH",  # __DATE__ and __TIME__; -P gives it to commands as part of them
        "SUNPRO_DEPENDENCIES",
        "VERSION",  # ctfconvert -L VERSION writes it into the object
    }
)


def tool_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Give the environment for the tools: the caller's, less what would change their output."""
    kept = {
        name: value
        for name, value in environment.items()
        if name not in _DISTURBING and not name.startswith(("LC_", "ZIG_"))
    }
    kept["LC_ALL"] = "C"
    return kept
