#include "assym.h"
#ifndef ONLY_CODE
#error flags of one file are missing
#endif
	.section .note.GNU-stack, "", @progbits
	.text
	.globl tables_code
tables_code:
	.quad SH_WIDTH, depth, shape_SIZEOF, SHAPE_LIMIT, SHAPE_NEGATIVE
	.quad SHAPE_HALF, SHAPE_BIG
