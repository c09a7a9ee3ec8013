// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the 16550A: registers, FIFOs, interrupts, and nothing is lost
 */
#include "tests/lib/harness.h"
#include "tests/lib/random.h"
#include "tests/lib/testvm.h"

#include <fcntl.h>
#include <linux/serial_reg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/arch.h"
#include "vmm/console.h"

#define PASTE	150000		/* more than the console and a pipe hold */
#define FCR_ON	(UART_FCR_ENABLE_FIFO | UART_FCR_TRIGGER_14)

FIXTURE(serial)
{
	struct vm *vm;
	struct device *dev;
	const struct arch_resource *res;
	int in[2];	/* the user types into in[1] */
	int out[2];	/* the user reads from out[0] */
};

FIXTURE_SETUP(serial)
{
	struct error err = ERROR_INIT;

	ASSERT_EQ(0, pipe2(self->in, O_NONBLOCK));
	ASSERT_EQ(0, pipe2(self->out, O_NONBLOCK));
	self->vm = testvm_create(16 * MIB);
	ASSERT_EQ(0, console_create(&self->vm->loop, self->in[0], self->out[1],
				    &self->vm->consoles[0], &err));
	self->dev = testvm_add(self->vm, "serial", 0, NULL);
	self->res = arch_resource_find("serial", 0);
}

FIXTURE_TEARDOWN(serial)
{
	struct console *console = self->vm->consoles[0];

	device_destroy(self->dev);
	console_destroy(console);
	testvm_destroy(self->vm);
}

static u8 get_at(const struct arch_resource *res, struct vm *vm, u32 reg)
{
	return (u8)(res->pio ? testvm_pio_read(vm, res->base + reg, 1) :
			       testvm_mmio_read(vm, res->base + reg, 1));
}

static void put_at(const struct arch_resource *res, struct vm *vm, u32 reg,
		   u8 value)
{
	if (res->pio)
		testvm_pio_write(vm, res->base + reg, value, 1);
	else
		testvm_mmio_write(vm, res->base + reg, value, 1);
}

#define get(reg)	get_at(self->res, self->vm, reg)
#define put(reg, value)	put_at(self->res, self->vm, reg, value)
#define irq()		irq_gsi_level(&self->vm->irq, self->res->gsi)
#define reason()	(get(UART_IIR) & 0x3f)

/* Runs the main loop for so long. */
static void run_ms(struct vm *vm, u32 ms)
{
	for (; ms; ms--) {
		testvm_poll(vm);
		usleep(1000);
	}
	testvm_poll(vm);
}

/* The user types, and the console takes it. */
static void type(struct vm *vm, int fd, const void *text, size_t len)
{
	int left = 1;

	if (write(fd, text, len) != (ssize_t)len)
		abort();
	while (left) {
		testvm_poll(vm);
		if (ioctl(fd, FIONREAD, &left))
			abort();
	}
	run_ms(vm, 2);
}

#define typed(text)	type(self->vm, self->in[1], text, strlen(text))

/* Runs the main loop until input is there; how long it waits is no matter. */
#define AWAIT_INPUT							\
	do {								\
		u32 __tries = 0;					\
									\
		while (!(get(UART_LSR) & UART_LSR_DR)) {		\
			ASSERT_LT(__tries++, 5000);			\
			run_ms(self->vm, 1);				\
		}							\
	} while (0)

/* What the user sees, at most @max bytes of it; waits for the first. */
static size_t see(struct vm *vm, int fd, u8 *buf, size_t max)
{
	u32 tries;

	for (tries = 0; tries < 10000; tries++) {
		ssize_t n = read(fd, buf, max);

		if (n > 0)
			return (size_t)n;
		run_ms(vm, 1);
	}
	return 0;
}

TEST_F(serial, power_on_values)
{
	EXPECT_EQ(0, get(UART_IER));
	EXPECT_EQ(UART_IIR_NO_INT, get(UART_IIR));
	EXPECT_EQ(0, get(UART_LCR));
	EXPECT_EQ(0, get(UART_MCR));
	EXPECT_EQ(UART_LSR_THRE | UART_LSR_TEMT, get(UART_LSR));
	EXPECT_EQ(UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD, get(UART_MSR));
	EXPECT_EQ(false, irq());
}

TEST_F(serial, only_defined_bits_are_kept)
{
	put(UART_IER, 0xff);
	EXPECT_EQ(0x0f, get(UART_IER));
	put(UART_IER, 0);
	put(UART_MCR, 0xff);
	EXPECT_EQ(0x1f, get(UART_MCR));
	put(UART_SCR, 0xa5);
	EXPECT_EQ(0xa5, get(UART_SCR));
	put(UART_LCR, 0x7f);
	EXPECT_EQ(0x7f, get(UART_LCR));
}

TEST_F(serial, divisor_is_behind_dlab)
{
	put(UART_LCR, UART_LCR_DLAB | UART_LCR_WLEN8);
	put(UART_DLL, 0x34);
	put(UART_DLM, 0x12);
	EXPECT_EQ(0x34, get(UART_DLL));
	EXPECT_EQ(0x12, get(UART_DLM));
	put(UART_LCR, UART_LCR_WLEN8);
	EXPECT_EQ(0, get(UART_RX));
	EXPECT_EQ(0, get(UART_IER));
}

TEST_F(serial, fifo_shows_in_iir)
{
	EXPECT_EQ(0, get(UART_IIR) & 0xc0);
	put(UART_FCR, UART_FCR_ENABLE_FIFO);
	EXPECT_EQ(0xc0, get(UART_IIR) & 0xc0);
	put(UART_FCR, 0);
	EXPECT_EQ(0, get(UART_IIR) & 0xc0);
}

TEST_F(serial, output_reaches_the_user)
{
	u8 buf[16];
	u32 i;

	for (i = 0; i < 5; i++)
		put(UART_TX, (u8)"hello"[i]);
	EXPECT_EQ(5, see(self->vm, self->out[0], buf, sizeof(buf)));
	EXPECT_EQ(0, memcmp(buf, "hello", 5));
}

TEST_F(serial, transmitter_interrupt_comes_once_for_each_emptying)
{
	put(UART_IER, UART_IER_THRI);
	EXPECT_TRUE(irq());
	EXPECT_EQ(UART_IIR_THRI, reason());
	/* Reading it was the answer. */
	EXPECT_EQ(UART_IIR_NO_INT, reason());
	EXPECT_EQ(false, irq());
	put(UART_TX, 'x');
	EXPECT_TRUE(irq());
	EXPECT_EQ(UART_IIR_THRI, reason());
	EXPECT_EQ(false, irq());
	/* Switched on again while empty: told again. */
	put(UART_IER, 0);
	put(UART_IER, UART_IER_THRI);
	EXPECT_TRUE(irq());
}

TEST_F(serial, input_arrives_and_interrupts)
{
	put(UART_IER, UART_IER_RDI);
	EXPECT_EQ(false, irq());
	typed("ab");
	EXPECT_TRUE(irq());
	EXPECT_EQ(UART_IIR_RDI, reason());
	EXPECT_TRUE(get(UART_LSR) & UART_LSR_DR);
	EXPECT_EQ('a', get(UART_RX));
	AWAIT_INPUT;
	EXPECT_TRUE(irq());
	EXPECT_EQ('b', get(UART_RX));
	EXPECT_EQ(false, irq());
	EXPECT_EQ(0, get(UART_LSR) & UART_LSR_DR);
	EXPECT_EQ(0, get(UART_RX));
}

TEST_F(serial, trigger_level_and_timeout)
{
	put(UART_FCR, FCR_ON);
	put(UART_IER, UART_IER_RDI);
	typed("0123456789abc");
	EXPECT_EQ(UART_IIR_RX_TIMEOUT, reason());
	typed("d");
	EXPECT_EQ(UART_IIR_RDI, reason());
	EXPECT_EQ('0', get(UART_RX));
	EXPECT_EQ(UART_IIR_RX_TIMEOUT, reason());
	put(UART_FCR, FCR_ON | UART_FCR_CLEAR_RCVR);
	EXPECT_EQ(UART_IIR_NO_INT, reason());
}

/* The guest gets time of its own between two fillings of the FIFO. */
TEST_F(serial, next_input_comes_later)
{
	put(UART_FCR, FCR_ON);
	typed("0123456789abcdefg");
	while (get(UART_LSR) & UART_LSR_DR)
		ASSERT_NE('g', get(UART_RX));
	AWAIT_INPUT;
	EXPECT_EQ('g', get(UART_RX));
}

TEST_F(serial, flow_control_holds_input_back)
{
	put(UART_MCR, UART_MCR_DTR);
	typed("a");
	EXPECT_EQ(0, get(UART_LSR) & UART_LSR_DR);
	put(UART_MCR, UART_MCR_DTR | UART_MCR_RTS);
	EXPECT_EQ('a', get(UART_RX));
}

TEST_F(serial, input_waits_while_the_machine_is_paused)
{
	struct error err = ERROR_INIT;

	ASSERT_EQ(0, self->dev->class->ops->quiesce(self->dev, &err));
	typed("a");
	EXPECT_EQ(0, get(UART_LSR) & UART_LSR_DR);
	self->dev->class->ops->resume(self->dev);
	EXPECT_EQ('a', get(UART_RX));
}

/* A paste of any length, read at the guest's leisure. */
TEST_F(serial, nothing_of_a_paste_is_lost)
{
	struct test_random rnd;
	u8 *text = malloc(PASTE);
	u32 sent = 0, got = 0;

	ASSERT_NE(NULL, text);
	test_random_init(&rnd);
	test_random_fill(&rnd, text, PASTE);
	put(UART_FCR, FCR_ON);
	put(UART_IER, UART_IER_RDI);
	while (got < PASTE) {
		u32 n = (u32)test_random_below(&rnd, 40);
		ssize_t wrote = write(self->in[1], text + sent, PASTE - sent);

		if (wrote > 0)
			sent += (u32)wrote;
		testvm_poll(self->vm);
		while (n-- && (get(UART_LSR) & UART_LSR_DR)) {
			ASSERT_TRUE(irq());
			ASSERT_EQ(text[got], get(UART_RX));
			got++;
		}
		ASSERT_EQ(0, get(UART_LSR) & UART_LSR_OE);
	}
	EXPECT_EQ(false, irq());
	free(text);
}

/* What byte n of the guest's output is: no short period. */
static u8 pattern(u32 n)
{
	return (u8)(n * 31 + n / 253);
}

/* The user's pipe is full and nobody reads: the guest waits, nothing is lost. */
TEST_F(serial, slow_reader_holds_thre_back)
{
	u32 sent = 0, got = 0, held = 0, i;
	u8 buf[4096];

	put(UART_FCR, FCR_ON);
	put(UART_IER, UART_IER_THRI);
	while (got < PASTE) {
		size_t n;

		/* As a driver: 16 bytes for each interrupt, until none comes */
		while (sent < PASTE && irq()) {
			ASSERT_EQ(UART_IIR_THRI, reason());
			ASSERT_TRUE(get(UART_LSR) & UART_LSR_THRE);
			for (i = 0; i < 16; i++, sent++)
				put(UART_TX, pattern(sent));
		}
		if (sent < PASTE) {
			ASSERT_EQ(0, get(UART_LSR) &
				  (UART_LSR_THRE | UART_LSR_TEMT));
			held++;
		}
		n = see(self->vm, self->out[0], buf, sizeof(buf));
		for (i = 0; i < n; i++, got++)
			ASSERT_EQ(pattern(got), buf[i]);
	}
	EXPECT_LT(10, held);
	EXPECT_EQ(PASTE, sent);
}

TEST_F(serial, fifo_reset_keeps_output_that_waits)
{
	u32 sent = 0, got = 0, i;
	u8 buf[4096];
	size_t n;

	put(UART_FCR, FCR_ON);
	while (get(UART_LSR) & UART_LSR_THRE)
		put(UART_TX, pattern(sent++));
	put(UART_FCR, FCR_ON | UART_FCR_CLEAR_XMIT);
	put(UART_FCR, 0);
	while (got < sent) {
		n = see(self->vm, self->out[0], buf, sizeof(buf));
		ASSERT_NE(0, n);
		for (i = 0; i < n; i++, got++)
			ASSERT_EQ(pattern(got), buf[i]);
	}
	EXPECT_TRUE(get(UART_LSR) & UART_LSR_THRE);
}

TEST_F(serial, loopback_stays_inside)
{
	u8 buf[4];

	put(UART_MCR, UART_MCR_LOOP);
	typed("t");
	EXPECT_EQ(0, get(UART_LSR) & UART_LSR_DR);
	put(UART_TX, 'x');
	EXPECT_EQ('x', get(UART_RX));
	put(UART_TX, 'y');
	put(UART_TX, 'z');
	EXPECT_TRUE(get(UART_LSR) & UART_LSR_OE);
	EXPECT_EQ(0, get(UART_LSR) & UART_LSR_OE);
	EXPECT_EQ('z', get(UART_RX));
	run_ms(self->vm, 20);
	EXPECT_EQ(-1, read(self->out[0], buf, sizeof(buf)));
	put(UART_MCR, 0);
	AWAIT_INPUT;
	EXPECT_EQ('t', get(UART_RX));
}

TEST_F(serial, loopback_of_the_modem_lines)
{
	get(UART_MSR);
	put(UART_MCR, UART_MCR_LOOP | UART_MCR_OUT2 | UART_MCR_RTS);
	/* The probe of Linux' 8250 driver looks for exactly this. */
	EXPECT_EQ(UART_MSR_DCD | UART_MSR_CTS, get(UART_MSR) & 0xf0);
	EXPECT_EQ(0, get(UART_MSR) & 0x0f);
	put(UART_IER, UART_IER_MSI);
	EXPECT_EQ(false, irq());
	put(UART_MCR, UART_MCR_LOOP | UART_MCR_OUT1);
	EXPECT_TRUE(irq());
	EXPECT_EQ(UART_IIR_MSI, reason());
	EXPECT_EQ(UART_MSR_RI | UART_MSR_DDCD | UART_MSR_DCTS, get(UART_MSR));
	EXPECT_EQ(false, irq());
	put(UART_MCR, UART_MCR_LOOP);
	EXPECT_EQ(UART_MSR_TERI, get(UART_MSR));
}

TEST_F(serial, break_in_loopback)
{
	put(UART_MCR, UART_MCR_LOOP);
	put(UART_IER, UART_IER_RLSI | UART_IER_RDI);
	put(UART_LCR, UART_LCR_SBC);
	EXPECT_EQ(UART_IIR_RLSI, reason());
	EXPECT_EQ(UART_LSR_BI | UART_LSR_DR,
		  get(UART_LSR) & (UART_LSR_BI | UART_LSR_DR));
	EXPECT_EQ(0, get(UART_LSR) & UART_LSR_BI);
	EXPECT_EQ(UART_IIR_RDI, reason());
	EXPECT_EQ(0, get(UART_RX));
	EXPECT_EQ(UART_IIR_NO_INT, reason());
}

/* In the FIFO, behind another character, and not at its head yet. */
TEST_F(serial, break_waits_its_turn)
{
	put(UART_FCR, FCR_ON);
	put(UART_MCR, UART_MCR_LOOP);
	put(UART_IER, UART_IER_RLSI | UART_IER_RDI);
	put(UART_TX, 'a');
	put(UART_LCR, UART_LCR_SBC);
	put(UART_LCR, 0);
	put(UART_TX, 'b');
	EXPECT_EQ(UART_LSR_FIFOE, get(UART_LSR) & (UART_LSR_FIFOE |
						   UART_LSR_BI));
	EXPECT_EQ(UART_IIR_RX_TIMEOUT, reason());
	EXPECT_EQ('a', get(UART_RX));
	EXPECT_EQ(UART_IIR_RLSI, reason());
	EXPECT_EQ(UART_LSR_FIFOE | UART_LSR_BI,
		  get(UART_LSR) & (UART_LSR_FIFOE | UART_LSR_BI));
	EXPECT_EQ(0, get(UART_LSR) & (UART_LSR_FIFOE | UART_LSR_BI));
	EXPECT_EQ(0, get(UART_RX));
	EXPECT_EQ('b', get(UART_RX));
}

TEST_F(serial, state_survives)
{
	struct error err = ERROR_INIT;
	void *state, *again;

	put(UART_FCR, FCR_ON);
	put(UART_IER, UART_IER_RDI | UART_IER_THRI);
	put(UART_LCR, UART_LCR_WLEN8);
	put(UART_SCR, 0x42);
	typed("state");
	get(UART_RX);
	state = testvm_save(self->dev);
	mutex_lock(&self->dev->lock);
	self->dev->class->ops->reset(self->dev);
	mutex_unlock(&self->dev->lock);
	EXPECT_EQ(0, get(UART_SCR));
	ASSERT_EQ(0, testvm_load(self->dev, state, &err));
	again = testvm_save(self->dev);
	EXPECT_EQ(0, memcmp(state, again, self->dev->class->state->size));
	self->dev->class->ops->resume(self->dev);
	EXPECT_TRUE(irq());
	EXPECT_EQ('t', get(UART_RX));
	EXPECT_EQ(0x42, get(UART_SCR));
	free(state);
	free(again);
}

/* Without a console, output goes nowhere and input never comes. */
TEST_F(serial, second_port_is_not_connected)
{
	const struct arch_resource *res = arch_resource_find("serial", 1);
	u32 i;

	if (!res)
		SKIP(return, "no second port on this architecture");
	testvm_add(self->vm, "serial", 1, NULL);
	for (i = 0; i < 100; i++)
		put_at(res, self->vm, UART_TX, 'x');
	EXPECT_EQ(UART_LSR_THRE | UART_LSR_TEMT,
		  get_at(res, self->vm, UART_LSR));
}

/* Random writes and wide accesses: the FIFOs stay within their bounds. */
TEST_F(serial, any_write_is_survived)
{
	struct test_random rnd;
	u32 i;

	test_random_init(&rnd);
	for (i = 0; i < 20000; i++) {
		u32 reg = (u32)test_random_below(&rnd, 8);
		u32 len = 1U << test_random_below(&rnd, 3);
		u64 value = test_random_u64(&rnd);
		struct bus *bus = self->res->pio ? &self->vm->pio :
						   &self->vm->mmio;

		if (i % 16 == 0 && write(self->in[1], &value, 8) == 8)
			testvm_poll(self->vm);
		if (test_random_below(&rnd, 2))
			bus_write(bus, self->res->base + reg, &value, len);
		else
			bus_read(bus, self->res->base + reg, &value, len);
		if (i % 100 == 0) {
			u8 buf[4096];

			while (read(self->out[0], buf, sizeof(buf)) > 0)
				testvm_poll(self->vm);
		}
	}
}

TEST_HARNESS_MAIN
