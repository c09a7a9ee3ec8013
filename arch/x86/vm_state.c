// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: interrupt controllers, timer and clock out of KVM and in again
 *
 * kvmclock is saved with the host's wall clock of that moment. When it is
 * loaded, &vm.clock says whether the time in between has happened for the
 * guest: with VM_CLOCK_HOST kvmclock and the TSCs (vcpu_state.c) are put
 * forward by it, so that the guest's wall clock, which Linux derives from
 * them, is right at once; its monotonic clock jumps, too, as after a long
 * pause. With VM_CLOCK_SAVED they go on from where they were. A wall clock
 * that was put back meanwhile counts as no time. KVM could do the first half of
 * it (KVM_CLOCK_REALTIME), but only on hosts whose clock is the TSC.
 *
 * The PIT's count_load_time is the host's clock and not state; KVM starts the
 * count anew when a channel is loaded.
 *
 * Context: the main loop's thread, the machine paused.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "arch/x86/state.h"
#include "arch/x86/x86_priv.h"
#include "vmm/arch.h"
#include "vmm/base/math.h"
#include "vmm/vm.h"

static_assert(sizeof(struct x86_pic_state) == sizeof(struct kvm_pic_state),
	      "the 8259A's registers in KVM's order");

static int irqchip_get(struct vm *vm, u32 id, struct kvm_irqchip *chip,
		       struct error *err)
{
	memset(chip, 0, sizeof(*chip));
	chip->chip_id = id;
	return x86_ioctl(vm->vm_fd, KVM_GET_IRQCHIP, chip, "KVM_GET_IRQCHIP",
			 err);
}

static int irqchip_set(struct vm *vm, struct kvm_irqchip *chip,
		       struct error *err)
{
	return x86_ioctl(vm->vm_fd, KVM_SET_IRQCHIP, chip, "KVM_SET_IRQCHIP",
			 err);
}

static int pic_save(struct vm *vm, u32 id, struct x86_pic_state *to,
		    struct error *err)
{
	struct kvm_irqchip chip;
	int ret;

	ret = irqchip_get(vm, id, &chip, err);
	if (!ret)
		memcpy(to, &chip.chip.pic, sizeof(*to));
	return ret;
}

static int pic_load(struct vm *vm, u32 id, const struct x86_pic_state *from,
		    struct error *err)
{
	struct kvm_irqchip chip = { .chip_id = id };

	memcpy(&chip.chip.pic, from, sizeof(*from));
	return irqchip_set(vm, &chip, err);
}

static int ioapic_save(struct vm *vm, struct x86_ioapic_state *to,
		       struct error *err)
{
	struct kvm_irqchip chip;
	u32 i;
	int ret;

	ret = irqchip_get(vm, KVM_IRQCHIP_IOAPIC, &chip, err);
	if (ret)
		return ret;
	to->base_address = chip.chip.ioapic.base_address;
	to->ioregsel = chip.chip.ioapic.ioregsel;
	to->id = chip.chip.ioapic.id;
	to->irr = chip.chip.ioapic.irr;
	for (i = 0; i < KVM_IOAPIC_NUM_PINS; i++)
		to->redirtbl[i] = chip.chip.ioapic.redirtbl[i].bits;
	return 0;
}

static int ioapic_load(struct vm *vm, const struct x86_ioapic_state *from,
		       struct error *err)
{
	struct kvm_irqchip chip = {
		.chip_id = KVM_IRQCHIP_IOAPIC,
		.chip.ioapic = {
			.base_address = from->base_address,
			.ioregsel = from->ioregsel,
			.id = from->id,
			.irr = (u32)from->irr,
		},
	};
	u32 i;

	for (i = 0; i < KVM_IOAPIC_NUM_PINS; i++)
		chip.chip.ioapic.redirtbl[i].bits = from->redirtbl[i];
	return irqchip_set(vm, &chip, err);
}

static void channel_from_kvm(struct x86_pit_channel_state *to,
			     const struct kvm_pit_channel_state *from)
{
	to->count = from->count;
	to->latched_count = from->latched_count;
	to->count_latched = from->count_latched;
	to->status_latched = from->status_latched;
	to->status = from->status;
	to->read_state = from->read_state;
	to->write_state = from->write_state;
	to->write_latch = from->write_latch;
	to->rw_mode = from->rw_mode;
	to->mode = from->mode;
	to->bcd = from->bcd;
	to->gate = from->gate;
}

static void channel_to_kvm(struct kvm_pit_channel_state *to,
			   const struct x86_pit_channel_state *from)
{
	to->count = from->count;
	to->latched_count = from->latched_count;
	to->count_latched = from->count_latched;
	to->status_latched = from->status_latched;
	to->status = from->status;
	to->read_state = from->read_state;
	to->write_state = from->write_state;
	to->write_latch = from->write_latch;
	to->rw_mode = from->rw_mode;
	to->mode = from->mode;
	to->bcd = from->bcd;
	to->gate = from->gate;
}

static int pit_save(struct vm *vm, struct x86_vm_state *to, struct error *err)
{
	struct kvm_pit_state2 pit = { 0 };
	int ret;

	ret = x86_ioctl(vm->vm_fd, KVM_GET_PIT2, &pit, "KVM_GET_PIT2", err);
	channel_from_kvm(&to->pit0, &pit.channels[0]);
	channel_from_kvm(&to->pit1, &pit.channels[1]);
	channel_from_kvm(&to->pit2, &pit.channels[2]);
	to->pit_flags = pit.flags;
	return ret;
}

static int pit_load(struct vm *vm, const struct x86_vm_state *from,
		    struct error *err)
{
	struct kvm_pit_state2 pit = { .flags = (u32)from->pit_flags };

	channel_to_kvm(&pit.channels[0], &from->pit0);
	channel_to_kvm(&pit.channels[1], &from->pit1);
	channel_to_kvm(&pit.channels[2], &from->pit2);
	return x86_ioctl(vm->vm_fd, KVM_SET_PIT2, &pit, "KVM_SET_PIT2", err);
}

static u64 realtime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (u64)ts.tv_sec * 1000000000ULL + (u64)ts.tv_nsec;
}

static int clock_save(struct vm *vm, struct x86_vm_state *to,
		      struct error *err)
{
	struct kvm_clock_data clock = { 0 };
	int ret;

	ret = x86_ioctl(vm->vm_fd, KVM_GET_CLOCK, &clock, "KVM_GET_CLOCK",
			err);
	to->clock_ns = clock.clock;
	to->clock_realtime_ns = clock.flags & KVM_CLOCK_REALTIME ?
		clock.realtime : realtime_ns();
	return ret;
}

static u64 away_ns(const struct vm *vm, const struct x86_vm_state *s)
{
	u64 now = realtime_ns();

	if (vm->clock == VM_CLOCK_SAVED || !s->clock_realtime_ns ||
	    s->clock_realtime_ns > now)
		return 0;
	return min_of(now - s->clock_realtime_ns, INT64_MAX - s->clock_ns);
}

static int clock_load(struct vm *vm, const struct x86_vm_state *from,
		      struct error *err)
{
	struct kvm_clock_data clock = { 0 };

	vm->arch->away_ns = away_ns(vm, from);
	clock.clock = from->clock_ns + vm->arch->away_ns;
	return x86_ioctl(vm->vm_fd, KVM_SET_CLOCK, &clock, "KVM_SET_CLOCK",
			 err);
}

static int chips_load(struct vm *vm, const struct x86_vm_state *s,
		      struct error *err)
{
	int ret;

	ret = pic_load(vm, KVM_IRQCHIP_PIC_MASTER, &s->pic_master, err);
	if (!ret)
		ret = pic_load(vm, KVM_IRQCHIP_PIC_SLAVE, &s->pic_slave, err);
	if (!ret)
		ret = ioapic_load(vm, &s->ioapic, err);
	if (!ret)
		ret = pit_load(vm, s, err);
	return ret;
}

/**
 * arch_vm_save() - the machine's own state
 * @vm: a paused machine
 * @state: a zeroed struct x86_vm_state
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int arch_vm_save(struct vm *vm, void *state, struct error *err)
{
	struct x86_vm_state *s = state;
	int ret;

	ret = clock_save(vm, s, err);
	if (!ret)
		ret = pic_save(vm, KVM_IRQCHIP_PIC_MASTER, &s->pic_master, err);
	if (!ret)
		ret = pic_save(vm, KVM_IRQCHIP_PIC_SLAVE, &s->pic_slave, err);
	if (!ret)
		ret = ioapic_save(vm, &s->ioapic, err);
	if (!ret)
		ret = pit_save(vm, s, err);
	return ret;
}

/**
 * arch_vm_load() - install a machine's state
 * @vm: a paused machine; its vCPUs are loaded after it
 * @state: a struct x86_vm_state within its table's ranges
 * @err: filled on failure
 *
 * Return: 0 or a negative errno.
 */
int arch_vm_load(struct vm *vm, const void *state, struct error *err)
{
	int ret;

	ret = chips_load(vm, state, err);
	if (!ret)
		ret = clock_load(vm, state, err);
	return ret;
}

/**
 * arch_vm_reset() - interrupt controllers and timer back to power-on
 * @vm: a paused machine, or one that has not run yet
 * @err: filled on failure
 *
 * The first call, before anything has run, remembers what power-on is. The
 * clock goes on: it is the host's notion of how long the machine exists.
 *
 * Return: 0 or a negative errno.
 */
int arch_vm_reset(struct vm *vm, struct error *err)
{
	struct arch_vm *arch = vm->arch;
	struct x86_vm_state *s;
	int ret;

	if (arch->power_on_vm)
		return chips_load(vm, arch->power_on_vm, err);
	s = calloc(1, sizeof(*s));
	if (!s)
		return error_set(err, -ENOMEM, "out of memory");
	ret = arch_vm_save(vm, s, err);
	if (ret)
		free(s);
	else
		arch->power_on_vm = s;
	return ret;
}
