# The words that every makefile may use.
.SUFFIXES: .o .S .c .l .y
CC?= cc
LD?= ld
CFLAGS?= -O2
CPPFLAGS?=
LDFLAGS?=
CTFFLAGS?= -g -L VERSION
CTFMFLAGS?= -g -t
_ASM_TRADITIONAL_CPP= -x assembler-with-cpp
COMPILE.c= ${CC} ${CFLAGS} ${CPPFLAGS} -c
COMPILE.S= ${CC} ${AFLAGS} ${AFLAGS.${<:T}} ${CPPFLAGS} ${_ASM_TRADITIONAL_CPP} -c
YACC.y= ${YACC} ${YFLAGS}
LEX.l= ${LEX} ${LFLAGS}
