/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * modbuild kernel interface: the words that headers and modules use to talk
 * to the compiler.
 */
#ifndef MODBUILD_SYS_CDEFS_H
#define MODBUILD_SYS_CDEFS_H

#define __CONCAT(a, b)	a##b
#define __STRING(text)	#text

#define __unused	__attribute__((unused))
#define __used		__attribute__((used))
#define __aligned(n)	__attribute__((aligned(n)))
#define __section(name)	__attribute__((section(name)))
#define __printflike(text, first) \
	__attribute__((format(printf, text, first)))

#define __predict_true(condition)	__builtin_expect(!!(condition), 1)
#define __predict_false(condition)	__builtin_expect(!!(condition), 0)

/* The same pointer, but not to constant data. */
#define __UNCONST(pointer)	((void *)(unsigned long)(const void *)(pointer))

#define __arraycount(array)	(sizeof(array) / sizeof((array)[0]))
#define __CTASSERT(condition)	_Static_assert(condition, #condition)

/*
 * A link set is an array which the linker gathers: every entry is one pointer
 * in the section link_set_NAME.  The kernel finds a module by the single entry
 * of its set "modules".
 */
#define __link_set_add_rodata(set, symbol) \
	static const void *const modbuild_##set##_##symbol \
	    __used __section("link_set_" #set) = &symbol

#endif
