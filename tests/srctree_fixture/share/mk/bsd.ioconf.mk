# Three files from the description of devices.
.if !empty(IOCONF)
DPSRCS+= ioconf.c ioconf.h locators.h
ioconf.c: ${IOCONF}
	${TOOL_CONFIG} ${CONFIGOPTS} -b ${.OBJDIR} -s ${S} ${IOCONFDIR:U${.CURDIR}}/${IOCONF}
ioconf.h locators.h: ioconf.c
.endif
