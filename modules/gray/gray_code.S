/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uint32_t gray_code(uint32_t n) { return n ^ (n >> 1); }
 *
 * A source in assembly goes through the preprocessor like one in C.  It takes
 * its argument and gives its result in the registers that C uses, and changes
 * no register that C expects to be kept.
 */
#include "gray.h"

#if GRAY_IN_ASSEMBLY

	.text
	.globl	gray_code
	.type	gray_code, %function

#if defined(__x86_64__)

	.p2align 4
gray_code:
	movl	%edi, %eax
	shrl	$1, %eax
	xorl	%edi, %eax
	ret

#elif defined(__i386__)

	.p2align 4
gray_code:
	movl	4(%esp), %ecx
	movl	%ecx, %eax
	shrl	$1, %eax
	xorl	%ecx, %eax
	ret

#elif defined(__aarch64__)

	.p2align 2
gray_code:
	eor	w0, w0, w0, lsr #1
	ret

#elif defined(__arm__)

	.syntax	unified
	.arm
	.p2align 2
gray_code:
	eor	r0, r0, r0, lsr #1
	bx	lr

#elif defined(__powerpc__)

	.p2align 2
gray_code:
	srwi	4, 3, 1
	xor	3, 3, 4
	blr

#elif defined(__sparc__)

	.p2align 2
gray_code:
	srl	%o0, 1, %o1
	retl
	 xor	%o0, %o1, %o0		/* done before the return */

#elif defined(__mips__)

	.set	noreorder
	.p2align 2
gray_code:
	srl	$2, $4, 1
	jr	$31
	 xor	$2, $2, $4		/* done before the return */

#elif defined(__riscv)

	.p2align 2
gray_code:
	srliw	a1, a0, 1
	xor	a0, a0, a1
	ret

#endif

	.size	gray_code, . - gray_code

#endif /* GRAY_IN_ASSEMBLY */
