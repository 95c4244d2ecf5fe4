# One kernel module.
.-include "${.CURDIR}/../Makefile.inc"
.include <bsd.own.mk>

dependall: .PHONY realall
obj: .PHONY
	@mkdir -p ${MAKEOBJDIRPREFIX}${.CURDIR}

MKLDSCRIPT?= no
WARNS?= 1
.if ${WARNS} > 0
CFLAGS+= -Wall -Werror
LDFLAGS+= -Wl,--fatal-warnings
.endif
.if ${MKDEBUG} != "no"
CFLAGS+= -g
.endif
CFLAGS+= -ffreestanding -fno-common ${COPTS} ${CPUFLAGS}
CPPFLAGS+= -nostdinc -I. -I${.CURDIR} -isystem $S -isystem $S/arch
CPPFLAGS+= -isystem ${S}/../common/include -D_KERNEL -D_MODULE
AFLAGS+= -D_LOCORE

PROG?= ${KMOD}.kmod
OBJS+= ${SRCS:N*.h:N*.sh:R:S/$/.o/}
DPSRCS+= ${SRCS:M*.[ly]:C/\..$/.c/} ${YHEADER:D${SRCS:M*.y:.y=.h}}
KMODSCRIPTSRC= $S/modules/xldscripts/kmodule
.if ${MKLDSCRIPT} == "yes"
KMODSCRIPT= kldscript
kldscript: ${KMODSCRIPTSRC} ${OBJS}
	OBJDUMP=${OBJDUMP} sh $S/conf/mkldscript.sh -t ${KMODSCRIPTSRC} ${OBJS} > ${.TARGET}
.else
KMODSCRIPT= ${KMODSCRIPTSRC}
.endif

.BEGIN:
	@for pair in machine:${MACHINE} ${MACHINE}:${MACHINE} i386:i386 x86:x86 arm:arm; do \
		ln -sfn $S/arch/$${pair#*:}/include $${pair%%:*}; done

.c.o:
	${COMPILE.c} ${COPTS.${.IMPSRC:T}} ${CPUFLAGS.${.IMPSRC:T}} ${CPPFLAGS.${.IMPSRC:T}} ${.IMPSRC}
.if defined(CTFCONVERT)
	${CTFCONVERT} ${CTFFLAGS} ${.TARGET}
.endif
.S.o:
	${COMPILE.S} ${COPTS.${.IMPSRC:T}} ${CPUFLAGS.${.IMPSRC:T}} ${CPPFLAGS.${.IMPSRC:T}} ${.IMPSRC}
.if defined(CTFCONVERT)
	${CTFCONVERT} ${CTFFLAGS} ${.TARGET}
.endif
.y.c:
	${YACC.y} -o ${.TARGET} ${.IMPSRC}
.l.c:
	${LEX.l} -o ${.TARGET} ${.IMPSRC}
.for _grammar in ${SRCS:M*.y}
${_grammar:.y=.h}: ${_grammar:.y=.c}
.endfor
${OBJS}: ${DPSRCS}

.if ${MKDEBUG} != "no"
PROGDEBUG= ${PROG}.debug
.endif
realall: ${PROG} ${PROGDEBUG}
.if ${MACHINE_CPU} == "arm"
ARCHDIR= $S/modules/arch/arm
${KMOD}_tmp.o: ${OBJS}
	${LD} -r -o tmp.o ${OBJS}
	${LD} -r $$(${OBJDUMP} --syms --reloc tmp.o | ${TOOL_AWK} -f ${ARCHDIR}/kmodwrap.awk) \
	    -o ${.TARGET} tmp.o
${KMOD}_tramp.S: ${KMOD}_tmp.o
	${OBJDUMP} --syms --reloc ${KMOD}_tmp.o | ${TOOL_AWK} -f ${ARCHDIR}/kmodtramp.awk > ${.TARGET}
${PROG}: ${KMOD}_tmp.o ${KMOD}_tramp.o
	${LD} -r -Map=${.TARGET}.map -o tmp.o ${KMOD}_tmp.o ${KMOD}_tramp.o
	${OBJCOPY} $$(${NM} tmp.o | ${TOOL_AWK} -f ${ARCHDIR}/kmodhide.awk) tmp.o ${.TARGET}
.else
${PROG}: ${OBJS} ${KMODSCRIPT}
	${CC} ${LDFLAGS} -nostdlib -r -Wl,-T,${KMODSCRIPT},-d -Wl,-Map=${.TARGET}.map \
	    -o ${.TARGET} ${OBJS}
.if defined(CTFMERGE)
	${CTFMERGE} ${CTFMFLAGS} -o ${.TARGET} ${OBJS}
.endif
.endif
${PROGDEBUG}: ${PROG}
	${OBJCOPY} --only-keep-debug --compress-debug-sections ${PROG} ${PROGDEBUG}
	${OBJCOPY} --strip-debug -p -R .gnu_debuglink --add-gnu-debuglink=${PROGDEBUG} ${PROG}

.if !target(kmodinstall) && !defined(KMODULEDIR)
.if ${KERNEL_DIR:Uno} == "yes"
KMODULEDIR= /netbsd/modules/${KMOD}
.else
_OSRELEASE!= sh $S/conf/osrelease.sh
KMODULEARCHDIR?= ${MACHINE}
KMODULEDIR= /stand/${KMODULEARCHDIR}/${_OSRELEASE}/modules/${KMOD}
.endif
.endif
.-include "$S/arch/${MACHINE}/include/Makefile.inc"
