// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: MSI-X
 *
 * A vector is a table entry, a message route (an irqfd and its routing entry)
 * and one atomic word. The word says whether the vector may send, whether a
 * message waits, and how many threads are sending just now:
 *
 *   VECTOR_OFF      MSI-X is disabled: notifications are dropped
 *   VECTOR_MASKED   the vector, the function, or the function's right to write
 *                   memory at all is masked: a notification sets the next bit
 *   VECTOR_PENDING  what the Pending Bit Array shows
 *   VECTOR_SENDER   counted in the bits from here up
 *
 * msix_notify() makes one transition of that word, so a notification either
 * becomes a sender, or a pending bit that the unmask is going to see; it cannot
 * fall between the two. Whoever masks a vector waits for its senders, so that
 * no message leaves after the guest's write of the mask bit has ended and no
 * message is on its way while the route changes.
 *
 * Routes are told to KVM when a vector is unmasked with another message than
 * before; a guest that masks and unmasks only costs nothing.
 *
 * Without Bus Master Enable, or in D3hot, a function may not write memory, and
 * a message is a memory write: its vectors are then masked, and their messages
 * wait as pending bits.
 *
 * Threads: msix_notify(), msix_cancel() and msix_enabled() any, without locks.
 * All else with the device's lock held.
 *
 * Specification: PCIe-4.0 6.1.4, 7.7.2.
 */
#include <sched.h>
#include <stdlib.h>

#include "devices/pci/pci_priv.h"
#include "vmm/base/log.h"
#include "vmm/base/math.h"
#include "vmm/vm.h"

#define VECTOR_OFF	BIT(0)
#define VECTOR_MASKED	BIT(1)
#define VECTOR_PENDING	BIT(2)
#define VECTOR_SENDER	BIT(3)

#define ENTRY_SIZE	16
#define ENTRY_ADDR_LOW	0
#define ENTRY_ADDR_HIGH	4
#define ENTRY_DATA	8
#define ENTRY_CONTROL	12
#define PBA_ALIGN	4096	/* table and PBA never share a page */

/**
 * struct msix_vector - one vector
 * @state: see above
 * @entry: its table entry as the guest reads it
 * @route: its message
 *
 * A cache line of its own: vectors belong to queues, and queues to different
 * threads.
 */
struct msix_vector {
	_Atomic u32 state;
	u8 entry[ENTRY_SIZE];
	struct msi_route route;
} __cacheline_aligned;

/**
 * struct msix - a function's MSI-X
 * @enabled: MSI-X Enable
 * @cap: offset of the capability in configuration space
 * @pba: offset of the Pending Bit Array in the BAR
 * @nr: vectors
 * @vectors: the vectors
 */
struct msix {
	_Atomic bool enabled;
	u32 cap;
	u32 pba;
	u32 nr;
	struct msix_vector vectors[];
};

/* What a guest can change in a table entry; the rest is zero. */
static const u8 entry_wmask[ENTRY_SIZE] = {
	0xfc, 0xff, 0xff, 0xff,		/* Message Address: dword aligned */
	0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff,
	PCI_MSIX_ENTRY_CTRL_MASKBIT, 0, 0, 0,
};

static bool entry_masked(const struct msix_vector *v)
{
	return v->entry[ENTRY_CONTROL] & PCI_MSIX_ENTRY_CTRL_MASKBIT;
}

/*
 * No message leaves any more, and those that were leaving have left. The
 * acquire loads pair with the release in msix_notify(): afterwards the sender
 * is through with the route.
 */
static void vector_stop(struct msix_vector *v, u32 flags)
{
	/*
	 * Pairs with the compare-and-exchange in msix_notify(): whoever comes
	 * later sees the flags and does not become a sender.
	 */
	atomic_fetch_or_explicit(&v->state, flags, memory_order_acq_rel);
	while (atomic_load_explicit(&v->state, memory_order_acquire) >=
	       VECTOR_SENDER)
		sched_yield();
}

static void vector_off(struct msix_vector *v)
{
	vector_stop(v, VECTOR_OFF | VECTOR_MASKED);
	/* Nobody sets it any more: a disabled function has no messages. */
	atomic_fetch_and_explicit(&v->state, ~VECTOR_PENDING,
				  memory_order_relaxed);
}

static void vector_mask(struct msix_vector *v)
{
	vector_stop(v, VECTOR_MASKED);
	/* Off to masked: from here on notifications are kept. */
	atomic_fetch_and_explicit(&v->state, ~VECTOR_OFF,
				  memory_order_relaxed);
}

/* The table entry to KVM. The vector is masked, so nobody is sending. */
static void vector_route(struct pci_device *pci, struct msix_vector *v)
{
	u64 addr = pci_get32(v->entry + ENTRY_ADDR_LOW) |
		   (u64)pci_get32(v->entry + ENTRY_ADDR_HIGH) << 32;
	int ret = msi_route_set(&v->route, addr,
				pci_get32(v->entry + ENTRY_DATA));

	if (!ret)
		return;
	/* Rather no message than one to the old place. */
	msi_route_disconnect(&v->route);
	log_limited(LOG_WARNING, "%s: interrupt message to %#llx: %s",
		    pci->dev.name, addr, strerror(-ret));
}

static bool vector_routed(const struct msix_vector *v)
{
	return v->route.connected &&
	       (u32)v->route.addr == pci_get32(v->entry + ENTRY_ADDR_LOW) &&
	       v->route.addr >> 32 == pci_get32(v->entry + ENTRY_ADDR_HIGH) &&
	       v->route.data == pci_get32(v->entry + ENTRY_DATA);
}

static void vector_unmask(struct pci_device *pci, struct msix_vector *v)
{
	u32 old;

	if (!vector_routed(v)) {
		/* A guest may change an entry that is not masked. */
		vector_stop(v, VECTOR_MASKED);
		vector_route(pci, v);
	}
	/*
	 * Release: pairs with msix_notify(), whose sender then sees the new
	 * route. Acquire: pairs with the setting of the pending bit there, so
	 * that what the message announces is visible before it is sent.
	 */
	old = atomic_fetch_and_explicit(&v->state,
					~(VECTOR_OFF | VECTOR_MASKED |
					  VECTOR_PENDING),
					memory_order_acq_rel);
	if (old & VECTOR_PENDING)
		msi_route_fire(&v->route);
}

/* The function as a whole may send: enabled, not masked, may write memory. */
static bool function_sends(const struct pci_device *pci)
{
	u16 control = pci_get16(pci->config + pci->msix->cap + PCI_MSIX_FLAGS);
	u16 command = pci_get16(pci->config + PCI_COMMAND);

	return (control & PCI_MSIX_FLAGS_ENABLE) &&
	       !(control & PCI_MSIX_FLAGS_MASKALL) &&
	       (command & PCI_COMMAND_MASTER) && pci_in_d0(pci);
}

static void vector_refresh(struct pci_device *pci, struct msix_vector *v)
{
	if (!atomic_load_explicit(&pci->msix->enabled, memory_order_relaxed))
		vector_off(v);
	else if (entry_masked(v) || !function_sends(pci))
		vector_mask(v);
	else
		vector_unmask(pci, v);
}

/**
 * msix_refresh() - bring all vectors in line with configuration space
 * @pci: the function; nothing happens when it has no MSI-X
 *
 * Context: the device's lock is held.
 */
void msix_refresh(struct pci_device *pci)
{
	struct msix *msix = pci->msix;
	u32 i;

	if (!msix)
		return;
	atomic_store(&msix->enabled,
		     pci_get16(pci->config + msix->cap + PCI_MSIX_FLAGS) &
		     PCI_MSIX_FLAGS_ENABLE);
	for (i = 0; i < msix->nr; i++)
		vector_refresh(pci, &msix->vectors[i]);
}

/* One byte of the BAR; what is neither table nor PBA reads as zero. */
static u8 bar_byte(const struct msix *msix, u64 at)
{
	u32 i, bit;
	u8 byte = 0;

	if (at < (u64)msix->nr * ENTRY_SIZE)
		return msix->vectors[at / ENTRY_SIZE].entry[at % ENTRY_SIZE];
	if (at < msix->pba)
		return 0;
	for (bit = 0; bit < 8; bit++) {
		u64 vector = (at - msix->pba) * 8 + bit;

		if (vector >= msix->nr)
			break;
		i = (u32)vector;
		/* Relaxed: the bit alone is of interest. */
		if (atomic_load_explicit(&msix->vectors[i].state,
					 memory_order_relaxed) &
		    VECTOR_PENDING)
			byte |= (u8)BIT(bit);
	}
	return byte;
}

static u64 msix_bar_read(struct bus_region *region, u64 offset, u32 len)
{
	const struct pci_device *pci = region->opaque;
	u64 value = 0;
	u32 i;

	for (i = 0; i < len; i++)
		value |= (u64)bar_byte(pci->msix, offset + i) << (8 * i);
	return value;
}

/*
 * The specification wants aligned dwords and quadwords; other accesses are
 * undefined there, and are taken byte by byte here. An access that touches two
 * entries changes both.
 */
static void msix_bar_write(struct bus_region *region, u64 offset, u64 value,
			   u32 len)
{
	struct pci_device *pci = region->opaque;
	struct msix *msix = pci->msix;
	u64 size = (u64)msix->nr * ENTRY_SIZE;
	u64 at;

	for (at = offset; at < size && at < offset + len; at++)
		msix->vectors[at / ENTRY_SIZE].entry[at % ENTRY_SIZE] =
			(u8)(value >> (8 * (at - offset))) &
			entry_wmask[at % ENTRY_SIZE];
	for (at = offset / ENTRY_SIZE;
	     at < msix->nr && at * ENTRY_SIZE < offset + len; at++)
		vector_refresh(pci, &msix->vectors[at]);
}

static const struct bus_ops msix_bar_ops = {
	.read = msix_bar_read,
	.write = msix_bar_write,
};

static int msix_capability(struct pci_device *pci, u32 bar, struct error *err)
{
	struct msix *msix = pci->msix;
	u8 *cap;
	int ret;

	ret = pci_capability_add(pci, PCI_CAP_ID_MSIX, MSIX_CAP_SIZE,
				 &msix->cap, err);
	if (ret)
		return ret;
	cap = pci->config + msix->cap;
	pci_put16(cap + PCI_MSIX_FLAGS, (u16)(msix->nr - 1));
	pci_put32(cap + PCI_MSIX_TABLE, bar);
	pci_put32(cap + PCI_MSIX_PBA, msix->pba | bar);
	pci_put16(pci->wmask + msix->cap + PCI_MSIX_FLAGS,
		  PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	return 0;
}

static int msix_routes(struct pci_device *pci, u32 vectors, struct error *err)
{
	struct msix *msix = pci->msix;
	int ret;

	for (msix->nr = 0; msix->nr < vectors; msix->nr++) {
		struct msix_vector *v = &msix->vectors[msix->nr];

		ret = msi_route_init(&v->route, &pci->dev.vm->irq,
				     pci_devfn(pci), err);
		if (ret)
			return ret;
		atomic_init(&v->state, VECTOR_OFF | VECTOR_MASKED);
		v->entry[ENTRY_CONTROL] = PCI_MSIX_ENTRY_CTRL_MASKBIT;
	}
	return 0;
}

/**
 * msix_add() - give a function MSI-X
 * @pci: the function, not yet published
 * @bar: a free 32-bit memory BAR that table and PBA will have for themselves
 * @vectors: 1 to MSIX_VECTORS_MAX
 * @err: says why it failed
 *
 * Context: realize. Undone by msix_remove().
 * Return: 0, -EINVAL, -ENOSPC (no room for the capability, or too many
 * messages in the machine), -ENOMEM, or what eventfd(2) said.
 */
int msix_add(struct pci_device *pci, u32 bar, u32 vectors, struct error *err)
{
	u64 pba = round_up_to((u64)vectors * ENTRY_SIZE, PBA_ALIGN);
	u64 size = pba + PBA_ALIGN;
	struct msix *msix;
	int ret;

	if (!vectors || vectors > MSIX_VECTORS_MAX)
		return error_set(err, -EINVAL,
				 "%u MSI-X vectors: a function has 1 to %u",
				 vectors, MSIX_VECTORS_MAX);
	while (!is_power_of_2(size))
		size += PBA_ALIGN;
	ret = pci_bar_add(pci, bar, size, PCI_BAR_MMIO32, &msix_bar_ops, pci,
			  err);
	if (ret)
		return ret;
	msix = aligned_alloc(_Alignof(struct msix),
			     sizeof(*msix) + vectors * sizeof(msix->vectors[0]));
	if (!msix)
		return error_set(err, -ENOMEM, "out of memory");
	memset(msix, 0, sizeof(*msix) + vectors * sizeof(msix->vectors[0]));
	msix->pba = (u32)pba;
	pci->msix = msix;
	ret = msix_routes(pci, vectors, err);
	if (!ret)
		ret = msix_capability(pci, bar, err);
	if (ret)
		msix_remove(pci);
	return ret;
}

/**
 * msix_remove() - undo msix_add()
 * @pci: the function; nothing happens when it has no MSI-X
 *
 * Context: unrealize or a failed realize; nobody notifies any more, and no
 * vCPU runs that could reach the BAR.
 */
void msix_remove(struct pci_device *pci)
{
	struct msix *msix = pci->msix;

	if (!msix)
		return;
	while (msix->nr)
		msi_route_destroy(&msix->vectors[--msix->nr].route);
	pci->msix = NULL;
	free(msix);
}

/**
 * msix_reset() - all vectors masked, their entries zero, MSI-X disabled
 * @pci: the function; nothing happens when it has no MSI-X
 *
 * pci_device_reset() and a Function Level Reset do it; a device need not.
 *
 * Context: the device's lock is held.
 */
void msix_reset(struct pci_device *pci)
{
	struct msix *msix = pci->msix;
	u32 i;

	if (!msix)
		return;
	pci_put16(pci->config + msix->cap + PCI_MSIX_FLAGS,
		  (u16)(msix->nr - 1));
	for (i = 0; i < msix->nr; i++) {
		u8 *entry = msix->vectors[i].entry;

		memset(entry, 0, ENTRY_SIZE);
		entry[ENTRY_CONTROL] = PCI_MSIX_ENTRY_CTRL_MASKBIT;
	}
	msix_refresh(pci);
}

/**
 * msix_notify() - send a vector's message
 * @pci: the function
 * @vector: its number
 *
 * While the vector or the function is masked the pending bit is set instead,
 * and the message follows at the unmask. Nothing happens while MSI-X is
 * disabled, or when there is no such vector.
 *
 * Context: any thread, no lock; never blocks.
 */
void msix_notify(struct pci_device *pci, u32 vector)
{
	struct msix *msix = pci->msix;
	struct msix_vector *v;
	u32 old, new;

	if (!msix || vector >= msix->nr)
		return;
	v = &msix->vectors[vector];
	old = atomic_load_explicit(&v->state, memory_order_relaxed);
	do {
		if (old & VECTOR_OFF)
			return;
		new = old & VECTOR_MASKED ? old | VECTOR_PENDING :
					    old + VECTOR_SENDER;
		/*
		 * Release: what the message announces is visible to the thread
		 * that sends it for us, vector_unmask(). Acquire: pairs with
		 * the release there, the route is the one of the table.
		 */
	} while (!atomic_compare_exchange_weak_explicit(&v->state, &old, new,
							memory_order_acq_rel,
							memory_order_relaxed));
	if (old & VECTOR_MASKED)
		return;
	msi_route_fire(&v->route);
	/* Pairs with the acquire in vector_stop(): done with the route. */
	atomic_fetch_sub_explicit(&v->state, VECTOR_SENDER,
				  memory_order_release);
}

/**
 * msix_cancel() - what a masked vector was to announce has been dealt with
 * @pci: the function
 * @vector: its number
 *
 * Clears the pending bit, so that the unmask sends no spurious message
 * (PCIe-4.0 6.1.4.5). A message that was sent already is not called back.
 *
 * Context: any thread, no lock; never blocks.
 */
void msix_cancel(struct pci_device *pci, u32 vector)
{
	struct msix *msix = pci->msix;

	if (!msix || vector >= msix->nr)
		return;
	/* Relaxed: it announces nothing. */
	if (atomic_load_explicit(&msix->vectors[vector].state,
				 memory_order_relaxed) & VECTOR_PENDING)
		atomic_fetch_and_explicit(&msix->vectors[vector].state,
					  ~VECTOR_PENDING,
					  memory_order_relaxed);
}

/**
 * msix_enabled() - is MSI-X Enable set?
 * @pci: the function
 *
 * Context: any thread, no lock.
 * Return: true when it is, so that INTA# must not be used.
 */
bool msix_enabled(const struct pci_device *pci)
{
	return pci->msix && atomic_load(&pci->msix->enabled);
}

/**
 * msix_vectors() - how many vectors a function has
 * @pci: the function
 *
 * Context: any thread, no lock.
 * Return: the size of the table, 0 without MSI-X.
 */
u32 msix_vectors(const struct pci_device *pci)
{
	return pci->msix ? pci->msix->nr : 0;
}

/**
 * msix_save() - copy the table and the pending bits
 * @pci: a quiesced function
 * @state: zeroed; takes them
 *
 * Context: the device's lock is held.
 */
void msix_save(const struct pci_device *pci, struct pci_state *state)
{
	const struct msix *msix = pci->msix;
	u32 i;

	state->vectors_nr = msix_vectors(pci);
	for (i = 0; i < state->vectors_nr; i++) {
		const struct msix_vector *v = &msix->vectors[i];
		struct msix_vector_state *s = &state->vectors[i];

		s->addr_low = pci_get32(v->entry + ENTRY_ADDR_LOW);
		s->addr_high = pci_get32(v->entry + ENTRY_ADDR_HIGH);
		s->data = pci_get32(v->entry + ENTRY_DATA);
		s->masked = entry_masked(v);
		s->pending = !!(atomic_load(&v->state) & VECTOR_PENDING);
	}
}

/* In D0 with MSI-X and bus mastering enabled, and the function not masked. */
static bool state_sends(const struct pci_device *pci,
			const struct pci_state *state)
{
	u16 control = pci_get16(state->config + pci->msix->cap +
				PCI_MSIX_FLAGS);
	u16 command = pci_get16(state->config + PCI_COMMAND);

	return !(control & PCI_MSIX_FLAGS_MASKALL) &&
	       (command & PCI_COMMAND_MASTER) &&
	       !(pci->pm_cap &&
		 (state->config[pci->pm_cap + PCI_PM_CTRL] &
		  PCI_PM_CTRL_STATE_MASK));
}

/**
 * msix_check() - could the function be in this state?
 * @pci: the function
 * @state: decoded, its ranges and its configuration space checked
 * @err: says what cannot be
 *
 * Return: 0, or -EINVAL.
 */
int msix_check(const struct pci_device *pci, const struct pci_state *state,
	       struct error *err)
{
	bool enabled;
	u32 i;

	if (state->vectors_nr != msix_vectors(pci))
		return error_set(err, -EINVAL,
				 "vector: there are %u, but the device has %u",
				 state->vectors_nr, msix_vectors(pci));
	if (!pci->msix)
		return 0;
	enabled = pci_get16(state->config + pci->msix->cap + PCI_MSIX_FLAGS) &
		  PCI_MSIX_FLAGS_ENABLE;
	for (i = 0; i < state->vectors_nr; i++) {
		const struct msix_vector_state *s = &state->vectors[i];

		if (s->addr_low & 3)
			return error_set(err, -EINVAL,
					 "vector@%u: address-low %#x is not dword aligned",
					 i, s->addr_low);
		if (s->pending && (!enabled ||
				   (!s->masked && state_sends(pci, state))))
			return error_set(err, -EINVAL,
					 "vector@%u: pending but not masked",
					 i);
	}
	return 0;
}

/**
 * msix_load() - install the table and the pending bits
 * @pci: the function; msix_refresh() follows
 * @state: has passed msix_check()
 *
 * Context: the device's lock is held; nobody notifies.
 */
void msix_load(struct pci_device *pci, const struct pci_state *state)
{
	struct msix *msix = pci->msix;
	u32 i;

	for (i = 0; i < msix_vectors(pci); i++) {
		const struct msix_vector_state *s = &state->vectors[i];
		struct msix_vector *v = &msix->vectors[i];

		pci_put32(v->entry + ENTRY_ADDR_LOW, s->addr_low);
		pci_put32(v->entry + ENTRY_ADDR_HIGH, s->addr_high);
		pci_put32(v->entry + ENTRY_DATA, s->data);
		v->entry[ENTRY_CONTROL] = (u8)s->masked;
		/* Masked, so that the refresh leaves the pending bit alone. */
		atomic_store(&v->state, VECTOR_MASKED |
			     (s->pending ? VECTOR_PENDING : 0));
	}
}
