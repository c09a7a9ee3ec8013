/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: doubly linked lists with the link inside the element
 *
 * A head that points to itself is empty. The element type is found again with
 * container_of(). No locking: the owner of the head sees to that.
 */
#ifndef LKVM_BASE_LIST_H
#define LKVM_BASE_LIST_H

#include "vmm/base/types.h"

/**
 * struct list - a link of a list, or its head
 * @next: first element, or the head itself
 * @prev: last element, or the head itself
 */
struct list {
	struct list *next;
	struct list *prev;
};

static inline void list_init(struct list *head)
{
	head->next = head;
	head->prev = head;
}

static inline bool list_is_empty(const struct list *head)
{
	return head->next == head;
}

static inline void list_insert_before(struct list *at, struct list *link)
{
	link->prev = at->prev;
	link->next = at;
	at->prev->next = link;
	at->prev = link;
}

/* Appends: the first to come is the first to go. */
static inline void list_add_tail(struct list *head, struct list *link)
{
	list_insert_before(head, link);
}

static inline void list_add_head(struct list *head, struct list *link)
{
	list_insert_before(head->next, link);
}

/* The link is left empty, so that removing it again is harmless. */
static inline void list_del(struct list *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	list_init(link);
}

/* The first link, taken off the list; NULL when there is none. */
static inline struct list *list_pop(struct list *head)
{
	struct list *first = head->next;

	if (first == head)
		return NULL;
	list_del(first);
	return first;
}

#define list_entry(link, type, member)	container_of(link, type, member)

#define list_for_each_entry(pos, head, member)				\
	for (pos = list_entry((head)->next, __typeof__(*pos), member);	\
	     &pos->member != (head);					\
	     pos = list_entry(pos->member.next, __typeof__(*pos), member))

/* As above, and @pos may be taken off the list in the body. */
#define list_for_each_entry_safe(pos, tmp, head, member)		\
	for (pos = list_entry((head)->next, __typeof__(*pos), member),	\
	     tmp = list_entry(pos->member.next, __typeof__(*pos), member); \
	     &pos->member != (head);					\
	     pos = tmp,							\
	     tmp = list_entry(tmp->member.next, __typeof__(*pos), member))

#endif /* LKVM_BASE_LIST_H */
