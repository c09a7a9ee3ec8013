/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: a stand-in for passt
 *
 * A card of mode=user starts the program passt that it finds. Here that is the
 * test program itself, by a link of that name: run so, it hands the socket that
 * it was given to the test and waits for the test to end it. So the test has
 * the other end of the card's wire in its hands.
 */
#ifndef TESTS_LIB_FAKE_PASST_H
#define TESTS_LIB_FAKE_PASST_H

#include "vmm/vm.h"

/* What the stand-in can be told instead of an exit code. */
#define FAKE_PASST_SILENT	254	/* close what messages go to */
#define FAKE_PASST_CHATTER	255	/* messages without end */

/**
 * struct fake_passt - the other end of a card's wire
 * @dir: where the link and the socket are
 * @listener: where the stand-ins report
 * @control: the one that runs, -1 for none
 * @wire: its end of the wire, -1 for none
 */
struct fake_passt {
	char dir[64];
	int listener;
	int control;
	int wire;
};

void fake_passt_init(struct fake_passt *p);
void fake_passt_accept(struct fake_passt *p, struct vm *vm);
void fake_passt_tell(struct fake_passt *p, u8 what);
void fake_passt_end(struct fake_passt *p, u8 code);
void fake_passt_destroy(struct fake_passt *p);
void fake_passt_send(struct fake_passt *p, const void *frame, u32 len);
bool fake_passt_recv(struct fake_passt *p, struct vm *vm, void *frame,
		     u32 max, u32 *len);

#endif /* TESTS_LIB_FAKE_PASST_H */
