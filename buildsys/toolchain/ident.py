"""The generated object that tells a kernel module's NetBSD version in its own ELF note."""

# sys/sys/exec_elf.h, ELF_NOTE_NETBSD_*: the note by which NetBSD marks what it was built for.
_NOTE_TYPE_IDENT = 1


def render_ident_source(version: int) -> str:
    """Write the assembly source of the note; version is MMmmrrpp00, as __NetBSD_Version__.

    Words follow the target's byte order; '%note' and not '@note', since '@' opens a comment on
    arm. The section is allocated, as in a kernel: a linker that drops what is not keeps it.
    """
    return (
        '\t.section ".note.netbsd.ident","a",%note\n'
        "\t.balign 4\n"
        "\t.long 7\n"  # bytes of the name with its NUL
        "\t.long 4\n"  # bytes of the version
        f"\t.long {_NOTE_TYPE_IDENT}\n"
        '\t.ascii "NetBSD\\0\\0"\n'  # filled up to 4 bytes
        f"\t.long {version}\n"
        '\t.section ".note.GNU-stack","",%progbits\n'
    )
