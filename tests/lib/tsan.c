// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: what ThreadSanitizer is not to report
 *
 * Guest memory is shared with a guest that takes no lock of ours. What reads
 * it while somebody writes does so on purpose; each entry says why it may.
 */
const char *__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
	return
	/* A page that changes while it is saved is dirty, and saved again. */
	"race:put_piece\n"
	"race:image_batch_flush\n"
	/* What was found is read again when the guest has stopped. */
	"race:vmcoreinfo_scan\n"
	/* A driver that takes back what it has offered. */
	"race:offer_again\n";
}
