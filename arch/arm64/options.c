// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the options that machines have on arm64 only
 *
 * One table (vmm/option.h), from which the command line, the help texts and the
 * machine description come. What the guest can see is part of the machine and
 * goes where it goes. A choice that is left open (auto) is made when the
 * machine is made: what the first host has stands in the description then, and
 * every later host is asked for just that, no less and no more.
 *
 * There is no memory tagging (MTE): the tags of memory are state that would have
 * to be saved and moved with it, and KVM does not tag memory that is shared, as
 * a machine's is. --disable-mte asks for what is so already.
 *
 * Context: the main loop's thread.
 */
#include "arch/arm64/gic.h"
#include "arch/arm64/options.h"
#include "vmm/arch.h"
#include "vmm/option.h"

static const char *const choice_words[] = {
	[CHOICE_AUTO]	= "auto",
	[CHOICE_ON]	= "on",
	[CHOICE_OFF]	= "off",
	NULL,
};

#define FIELD(_field)	.offset = offsetof(struct arm64_options, _field)
#define CHOICE		.type = OPTION_ENUM, .scope = OPTION_GUEST,		\
			.words = choice_words
#define SWITCH		.type = OPTION_BOOL, .scope = OPTION_GUEST

static const struct option_desc options[] = {
	{
		.name = "irqchip", .arg = "KIND", FIELD(irqchip),
		.help = "interrupt controller; auto is the best that the host has",
		.type = OPTION_ENUM, .scope = OPTION_GUEST,
		.words = gic_words,
	}, {
		.name = "pmu", FIELD(pmu), SWITCH,
		.help = "performance counters",
	}, {
		.name = "vcpu-affinity", .arg = "LIST", FIELD(vcpu_affinity),
		.help = "CPUs of the host that virtual CPUs run on (any)",
		.type = OPTION_STRING, .scope = OPTION_HOST,
		.min = 1, .fresh = true,
	}, {
		.name = "sve", FIELD(sve), CHOICE,
		.help = "scalable vectors (auto: where the host has them)",
	}, {
		.name = "sve-max-vl", .arg = "BITS", FIELD(sve_max_vl),
		.help = "longest scalable vector (the host's)",
		.type = OPTION_U32, .scope = OPTION_GUEST,
		.min = ARM64_SVE_BITS_MIN, .max = ARM64_SVE_BITS_MAX,
		.def = ARM64_SVE_BITS_MAX,
	}, {
		.name = "pauth", FIELD(pauth), CHOICE,
		.help = "pointer authentication (auto: where the host has it)",
	}, {
		.name = "pvtime", FIELD(pvtime), CHOICE,
		.help = "tell the guest of stolen time (auto: where the host can)",
	}, {
		.name = "no-pvtime", FIELD(no_pvtime), SWITCH,
		.help = "the same as --pvtime off",
	}, {
		.name = "disable-mte", FIELD(disable_mte),
		SWITCH,
		.help = "no memory tagging, which machines do not have anyway",
	}, {
		.name = "kaslr-seed", .arg = "N", FIELD(kaslr_seed),
		.help = "what the kernel chooses its place by (a random number)",
		.type = OPTION_SIZE, .scope = OPTION_GUEST,
	}, {
		.name = "dump-dtb", .arg = "FILE", FIELD(dump_dtb),
		.help = "write the device tree to a file, too, when the kernel is loaded",
		.type = OPTION_STRING, .scope = OPTION_HOST,
		.min = 1, .path = true, .fresh = true,
	},
};

const struct option_table arch_options = {
	.name = arch_name, .config_size = sizeof(struct arm64_options),
	.dashes = true, .opts = options, .nr = ARRAY_SIZE(options),
};

/**
 * option_decide() - make a choice that may have been left open
 * @choice: an enum arm64_choice; out: not CHOICE_AUTO
 * @here: this host has the feature
 * @option: the option's name
 * @what: what the feature is called
 * @err: filled on failure
 *
 * Return: 0; -ENOTSUP when it is wanted and not there.
 */
int option_decide(u32 *choice, bool here, const char *option, const char *what,
		  struct error *err)
{
	if (*choice == CHOICE_AUTO)
		*choice = here ? CHOICE_ON : CHOICE_OFF;
	if (*choice == CHOICE_ON && !here)
		return error_set(err, -ENOTSUP,
				 "--%s on: this host's CPU or KVM has no %s",
				 option, what);
	return 0;
}
