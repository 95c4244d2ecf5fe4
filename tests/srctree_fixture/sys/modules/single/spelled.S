/* SRCS says spelled.c: make takes what is there. */
	.section .note.GNU-stack, "", @progbits
	.data
	.globl single_spelled
single_spelled:
	.quad SPELLED
