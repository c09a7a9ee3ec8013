// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: a keyboard controller without keyboard and mouse
 *
 * What software wants of an i8042 on a machine without a keyboard: the reset
 * pulse, the A20 gate (always open), and answers that end a driver's probe at
 * once. Each command is answered before the guest can look at the status, so
 * the input buffer is never full. The interface tests say that no port works;
 * a byte for the keyboard or the mouse is answered by the controller as it does
 * when nobody is on the wire: FEh and the time-out bit. There are no
 * interrupts: with no port there is nothing to tell.
 *
 * Threads: vCPU threads under the device's lock.
 * Specification: the PS/2 controller of the IBM PS/2 Hardware Interface
 * Technical Reference, Keyboard and Auxiliary Device Controller.
 */
#include "devices/platform.h"
#include "vmm/vm.h"

#define REG_DATA	0
#define REG_STATUS	4

#define STATUS_OUT_FULL	BIT(0)
#define STATUS_SYSTEM	BIT(2)	/* the self-test has passed */
#define STATUS_COMMAND	BIT(3)	/* the last write went to port 64h */
#define STATUS_UNLOCKED	BIT(4)
#define STATUS_AUX	BIT(5)	/* the output byte is the mouse's */
#define STATUS_TIMEOUT	BIT(6)

#define CONFIG_KBD_OFF	BIT(4)
#define CONFIG_AUX_OFF	BIT(5)

#define OUTPORT_RUN	BIT(0)	/* low resets the machine */
#define OUTPORT_POWER_ON 0xcf	/* lines high, A20 (bit 1) open */

#define NO_DEVICE	0xfe
#define CLOCK_STUCK	0x01	/* interface test: clock line stuck low */

/**
 * struct i8042_state - what is saved
 * @config: the command byte (8042 RAM, byte 0)
 * @status: port 64h
 * @out: port 60h
 * @outport: output port P2
 * @command: command that waits for its data byte, 0 for none
 */
struct i8042_state {
	u8 config;
	u8 status;
	u8 out;
	u8 outport;
	u8 command;
};

/**
 * struct i8042 - the controller
 * @dev: the device
 * @region: its ports
 * @s: its registers
 */
struct i8042 {
	struct device dev;
	struct bus_region region;
	struct i8042_state s;
};

enum i8042_command {
	CMD_READ_CONFIG		= 0x20,
	CMD_WRITE_CONFIG	= 0x60,
	CMD_AUX_OFF		= 0xa7,
	CMD_AUX_ON		= 0xa8,
	CMD_AUX_TEST		= 0xa9,
	CMD_SELF_TEST		= 0xaa,
	CMD_KBD_TEST		= 0xab,
	CMD_KBD_OFF		= 0xad,
	CMD_KBD_ON		= 0xae,
	CMD_READ_OUTPORT	= 0xd0,
	CMD_WRITE_OUTPORT	= 0xd1,
	CMD_LOOP_KBD		= 0xd2,
	CMD_LOOP_AUX		= 0xd3,
	CMD_WRITE_AUX		= 0xd4,
	CMD_PULSE_FIRST		= 0xf0,	/* bits 3:0 clear: lines to pulse */
};

static struct i8042 *to_i8042(struct device *dev)
{
	return container_of(dev, struct i8042, dev);
}

static void answer(struct i8042 *k, u8 byte, u8 status)
{
	k->s.out = byte;
	k->s.status &= (u8)~(STATUS_AUX | STATUS_TIMEOUT);
	k->s.status |= STATUS_OUT_FULL | status;
}

static void outport_write(struct i8042 *k, u8 value)
{
	k->s.outport = value;
	if (!(value & OUTPORT_RUN))
		vm_request_end(k->dev.vm, VM_END_REBOOT, 0);
}

static void command_write(struct i8042 *k, u8 command)
{
	struct i8042_state *s = &k->s;

	s->status |= STATUS_COMMAND;
	s->command = 0;
	switch (command) {
	case CMD_READ_CONFIG:
		answer(k, s->config, 0);
		break;
	case CMD_AUX_OFF:
		s->config |= CONFIG_AUX_OFF;
		break;
	case CMD_AUX_ON:
		s->config &= (u8)~CONFIG_AUX_OFF;
		break;
	case CMD_KBD_OFF:
		s->config |= CONFIG_KBD_OFF;
		break;
	case CMD_KBD_ON:
		s->config &= (u8)~CONFIG_KBD_OFF;
		break;
	case CMD_SELF_TEST:
		s->status |= STATUS_SYSTEM;
		answer(k, 0x55, 0);
		break;
	case CMD_AUX_TEST:
	case CMD_KBD_TEST:
		answer(k, CLOCK_STUCK, 0);
		break;
	case CMD_READ_OUTPORT:
		answer(k, s->outport, 0);
		break;
	case CMD_WRITE_CONFIG:
	case CMD_WRITE_OUTPORT:
	case CMD_LOOP_KBD:
	case CMD_LOOP_AUX:
	case CMD_WRITE_AUX:
		s->command = command;
		break;
	default:
		if (command >= CMD_PULSE_FIRST && !(command & OUTPORT_RUN))
			vm_request_end(k->dev.vm, VM_END_REBOOT, 0);
	}
}

static void data_write(struct i8042 *k, u8 value)
{
	u8 command = k->s.command;

	k->s.status &= (u8)~STATUS_COMMAND;
	k->s.command = 0;
	switch (command) {
	case CMD_WRITE_CONFIG:
		k->s.config = value;
		break;
	case CMD_WRITE_OUTPORT:
		outport_write(k, value);
		break;
	case CMD_LOOP_KBD:
		answer(k, value, 0);
		break;
	case CMD_LOOP_AUX:
		/*
		 * A controller without a mouse port does not know the command.
		 * Silence would cost the prober a time-out, the byte that it
		 * waits for would be a mouse port: a wrong byte is neither.
		 */
		answer(k, (u8)~value, 0);
		break;
	case CMD_WRITE_AUX:
		answer(k, NO_DEVICE, STATUS_AUX | STATUS_TIMEOUT);
		break;
	default:
		answer(k, NO_DEVICE, STATUS_TIMEOUT);
	}
}

static u64 i8042_read(struct bus_region *region, u64 offset, u32 len)
{
	struct i8042 *k = to_i8042(region->opaque);

	if (len != 1)
		return ~0ULL;
	if (offset == REG_STATUS)
		return k->s.status;
	if (offset != REG_DATA)
		return ~0ULL;
	k->s.status &= (u8)~STATUS_OUT_FULL;
	return k->s.out;
}

static void i8042_write(struct bus_region *region, u64 offset, u64 value,
			u32 len)
{
	struct i8042 *k = to_i8042(region->opaque);

	if (len != 1)
		return;
	if (offset == REG_STATUS)
		command_write(k, (u8)value);
	else if (offset == REG_DATA)
		data_write(k, (u8)value);
}

static const struct bus_ops i8042_bus_ops = {
	.read = i8042_read,
	.write = i8042_write,
};

static int i8042_realize(struct device *dev, struct error *err)
{
	return platform_attach(dev, &to_i8042(dev)->region, &i8042_bus_ops,
			       NULL, err);
}

static void i8042_unrealize(struct device *dev)
{
	bus_region_remove(&to_i8042(dev)->region);
}

static void i8042_reset(struct device *dev)
{
	to_i8042(dev)->s = (struct i8042_state){
		.config = CONFIG_KBD_OFF | CONFIG_AUX_OFF,
		.status = STATUS_SYSTEM | STATUS_UNLOCKED,
		.outport = OUTPORT_POWER_ON,
	};
}

static void i8042_save(const struct device *dev, void *state)
{
	*(struct i8042_state *)state =
		container_of(dev, struct i8042, dev)->s;
}

static int i8042_check(const struct device *dev, const void *state,
		       struct error *err)
{
	const struct i8042_state *s = state;

	switch (s->command) {
	case 0:
	case CMD_WRITE_CONFIG:
	case CMD_WRITE_OUTPORT:
	case CMD_LOOP_KBD:
	case CMD_LOOP_AUX:
	case CMD_WRITE_AUX:
		return 0;
	}
	return error_set(err, -EINVAL, "command: %#x takes no data",
			 s->command);
}

static void i8042_load(struct device *dev, const void *state)
{
	to_i8042(dev)->s = *(const struct i8042_state *)state;
}

static const struct device_ops i8042_ops = {
	.realize = i8042_realize,
	.reset = i8042_reset,
	.save = i8042_save,
	.check = i8042_check,
	.load = i8042_load,
	.unrealize = i8042_unrealize,
};

static const struct state_field i8042_fields[] = {
	STATE_U8(struct i8042_state, config, "config", 0, 0xff),
	STATE_U8(struct i8042_state, status, "status", 0, 0x7f),
	STATE_U8(struct i8042_state, out, "output", 0, 0xff),
	STATE_U8(struct i8042_state, outport, "output-port", 0, 0xff),
	STATE_U8(struct i8042_state, command, "command", 0, CMD_WRITE_AUX),
};

static const struct state_desc i8042_state =
	STATE_DESC("lkvm,i8042-v1", struct i8042_state, i8042_fields);

static const struct device_class i8042_class = {
	.name = "i8042",
	.compatible = "lkvm,i8042",
	.summary = "keyboard controller without keyboard, for its reset",
	.kind = DEVICE_PLATFORM,
	.by_default = true,
	.hidden = true,
	.max = 1,
	.instance_size = sizeof(struct i8042),
	.state = &i8042_state,
	.ops = &i8042_ops,
};

DEVICE_CLASS_REGISTER(i8042_class);
