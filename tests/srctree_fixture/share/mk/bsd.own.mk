# Machine and tools.
.if !defined(_OWN_)
_OWN_= 1
MAKECONF?= /etc/mk.conf
.-include "${MAKECONF}"
MACHINE_CPU= ${MACHINE_ARCH:C/^earm.*/arm/}
PLATFORM.amd64= x86_64--netbsd
PLATFORM.evbarm= armv7--netbsdelf-eabihf
PLATFORM= ${PLATFORM.${MACHINE}}
CC= ${TOOLDIR}/bin/${PLATFORM}-clang
LD= ${TOOLDIR}/bin/${PLATFORM}-ld
NM= ${TOOLDIR}/bin/${PLATFORM}-nm
OBJCOPY= ${TOOLDIR}/bin/${PLATFORM}-objcopy
OBJDUMP= ${TOOLDIR}/bin/${PLATFORM}-objdump
TOOL_CONFIG= ${TOOLDIR}/bin/nbconfig
TOOL_AWK= ${TOOLDIR}/bin/nbawk
YACC= ${TOOLDIR}/bin/nbyacc
LEX= ${TOOLDIR}/bin/nblex
MKCOMPATMODULES?= no
MKDEBUG?= no
.if ${MKCTF:Uno} != "no"
CTFCONVERT= ${TOOLDIR}/bin/nbctfconvert
CTFMERGE= ${TOOLDIR}/bin/nbctfmerge
.endif
MKEXTRA?= no
.endif
.if defined(BSD_MK_COMPAT_FILE)
.include "${BSD_MK_COMPAT_FILE}"
.endif
