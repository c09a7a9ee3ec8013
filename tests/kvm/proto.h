/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: what the test guest and the test driver agree on
 *
 * The guest talks on the serial port, one line at a time, and ends by writing
 * one of the values below to the debug-exit port. A line that starts with
 * "guest: " is the guest's own report; the driver looks for these. The two
 * sides also share tests/kvm/stamp.h, the contents of stamped blocks.
 */
#ifndef TESTS_KVM_PROTO_H
#define TESTS_KVM_PROTO_H

/*
 * A byte written there ends the machine: an I/O port, or an address on a machine
 * without ports.
 */
#define GUEST_EXIT_PORT		0x501
#define GUEST_EXIT_ADDRESS	0x09040000

/* All that was asked for passed. */
#define GUEST_EXIT_PASS		0x10
/* A check failed: the console says which. */
#define GUEST_EXIT_FAIL		0x11
/* The guest took an exception or an interrupt that it did not expect. */
#define GUEST_EXIT_TRAP		0x12
/* The command line asks for something that the guest does not know. */
#define GUEST_EXIT_USAGE	0x13

/* Ends the input of test=serial-echo and stops test=stamp (ASCII EOT). */
#define GUEST_INPUT_END		0x04

/* Has test=stamp check everything and say so, and go on (ASCII ENQ). */
#define GUEST_INPUT_CHECK	0x05

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

/**
 * guest_input_hash - FNV-1a over the bytes that travelled through the port
 * @hash: result so far, GUEST_INPUT_HASH_INIT to start with
 * @byte: next byte
 *
 * Return: the hash with @byte in it.
 */
static inline uint64_t guest_input_hash(uint64_t hash, uint8_t byte)
{
	return (hash ^ byte) * 0x100000001b3ull;
}

#define GUEST_INPUT_HASH_INIT	0xcbf29ce484222325ull
#endif

#endif
