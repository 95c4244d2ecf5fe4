/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * modbuild kernel interface: messages, assertions, strings, copying, and the
 * function that says "no".
 */
#ifndef MODBUILD_SYS_SYSTM_H
#define MODBUILD_SYS_SYSTM_H

#include <sys/types.h>

/* Messages: aprint_normal() is silent when the system was booted quietly. */
void aprint_normal(const char *, ...) __printflike(1, 2);
void printf(const char *, ...) __printflike(1, 2);

/* Assertions: checked when the module is built with DIAGNOSTIC. */
void kern_assert(const char *, ...) __printflike(1, 2);
#ifdef DIAGNOSTIC
#define KASSERT(condition) \
	(__predict_true(condition) ? (void)0 : \
	    kern_assert("assertion \"%s\" failed: file \"%s\", line %d ", \
		#condition, __FILE__, __LINE__))
#else
#define KASSERT(condition)	((void)sizeof((long)(condition)))
#endif

/* Memory and strings. */
void *memcpy(void *, const void *, size_t);
void *memset(void *, int, size_t);
void *memchr(const void *, int, size_t);
int memcmp(const void *, const void *, size_t);
size_t strlen(const char *);
int strcmp(const char *, const char *);
size_t strlcpy(char *restrict, const char *restrict, size_t);

/* Between a caller's buffer and the kernel; advances the uio. */
int uiomove(void *, size_t, struct uio *);

/* A string of the caller's: EFAULT, or ENAMETOOLONG when it does not fit. */
int copyinstr(const void *, void *, size_t, size_t *);

/* An operation that is not offered. */
int eopnotsupp(void);

#endif
