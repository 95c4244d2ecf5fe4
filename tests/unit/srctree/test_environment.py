"""Which variables of the caller reach the makefiles."""

from buildsys import snapshot
from buildsys.srctree.environment import is_make_variable


def test_netbsd_s_variables_reach_make_and_a_shell_s_do_not() -> None:
    for name in ("MKDEBUG", "HAVE_GCC", "NOGCCERROR", "COPTS", "KERNEL_DIR", "MAKECONF"):
        assert is_make_variable(name), name
    for name in ("PWD", "TERM", "MAKEFLAGS", "MAKEOBJDIRPREFIX", "LANG"):
        assert not is_make_variable(name), name


def test_what_reaches_make_is_part_of_the_request_of_a_run() -> None:
    empty = snapshot.request_key([], {}, "/")
    for name in ("MKDEBUG", "HAVE_GCC", "NOGCCERROR", "COPTS", "KERNEL_DIR", "MAKECONF"):
        assert snapshot.request_key([], {name: "x"}, "/") != empty, name
    assert snapshot.request_key([], {"TERM": "x"}, "/") == empty
    own = snapshot._PREFIXES
    assert all(is_make_variable(f"{prefix}X") for prefix in own)
