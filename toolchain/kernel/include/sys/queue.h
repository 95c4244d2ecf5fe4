/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * modbuild kernel interface: doubly linked lists that live inside the things
 * they link, see queue(3).  Each element knows the pointer that points at it,
 * so that it can be taken out without a search.
 */
#ifndef MODBUILD_SYS_QUEUE_H
#define MODBUILD_SYS_QUEUE_H

#define LIST_HEAD(tag, type) \
	struct tag { struct type *lh_first; }
#define LIST_HEAD_INITIALIZER(head)	{ 0 }
#define LIST_ENTRY(type) \
	struct { struct type *le_next; struct type **le_prev; }

#define LIST_EMPTY(head)	((head)->lh_first == 0)
#define LIST_FOREACH(element, head, link) \
	for ((element) = (head)->lh_first; (element) != 0; \
	    (element) = (element)->link.le_next)

#define LIST_INSERT_HEAD(head, element, link) do { \
	(element)->link.le_prev = &(head)->lh_first; \
	(element)->link.le_next = (head)->lh_first; \
	if ((element)->link.le_next != 0) \
		(element)->link.le_next->link.le_prev = \
		    &(element)->link.le_next; \
	(head)->lh_first = (element); \
} while (0)

#define LIST_REMOVE(element, link) do { \
	*(element)->link.le_prev = (element)->link.le_next; \
	if ((element)->link.le_next != 0) \
		(element)->link.le_next->link.le_prev = \
		    (element)->link.le_prev; \
} while (0)

#endif
