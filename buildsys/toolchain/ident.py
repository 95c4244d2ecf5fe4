"""The generated object that tells, in ELF notes, a module's NetBSD version and options."""

# sys/sys/exec_elf.h, ELF_NOTE_NETBSD_*: the note by which NetBSD marks what it was built for.
_NOTE_TYPE_IDENT = 1
_NOTE_TYPE_OPTIONS = 1  # of the owner 'modbuild': kernel options that the module was built with


def render_ident_source(version: int, options: tuple[str, ...] = ()) -> str:
    """Write the assembly source of the notes; version is MMmmrrpp00, as __NetBSD_Version__.

    Words follow the target's byte order; '%note' and not '@note', since '@' opens a comment on
    arm. The section is allocated, as in a kernel: a linker that drops what is not keeps it.
    """
    words = " ".join(options)
    padding = "\\0" * (4 - len(words) % 4)
    return (
        '\t.section ".note.netbsd.ident","a",%note\n'
        "\t.balign 4\n"
        "\t.long 7\n"  # bytes of the name with its NUL
        "\t.long 4\n"  # bytes of the version
        f"\t.long {_NOTE_TYPE_IDENT}\n"
        '\t.ascii "NetBSD\\0\\0"\n'  # filled up to 4 bytes
        f"\t.long {version}\n"
        '\t.section ".note.modbuild","a",%note\n'
        "\t.balign 4\n"
        "\t.long 9\n"
        f"\t.long {len(words) + 1}\n"
        f"\t.long {_NOTE_TYPE_OPTIONS}\n"
        '\t.ascii "modbuild\\0\\0\\0\\0"\n'
        f'\t.ascii "{words}{padding}"\n'
        '\t.section ".note.GNU-stack","",%progbits\n'
    )
