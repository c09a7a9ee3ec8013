/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_DEVICE_H
#define LKVM_DEVICE_H

#include "vmm/base/error.h"
#include "vmm/base/list.h"
#include "vmm/base/mutex.h"
#include "vmm/guest_memory.h"
#include "vmm/option.h"
#include "vmm/state.h"

struct device;
struct vm;

/**
 * struct stat_sink - takes the counters of a device
 * @counter: called for each: a name of lower case letters, digits and "-",
 *           and how often it happened since the machine was made
 */
struct stat_sink {
	void (*counter)(struct stat_sink *sink, const char *name, u64 value);
};

/**
 * struct device_disk - a disk that a device keeps something on
 * @number: which of the device's disks, as the guest counts them (an NVMe
 *          controller's NSID)
 * @path: as it was given
 * @fd: the open file or block device, still the device's; -1 for a disk that
 *      stores nothing
 * @size: bytes
 * @readonly: it is never written
 * @direct: the host's page cache is not used
 */
struct device_disk {
	u32 number;
	const char *path;
	int fd;
	u64 size;
	bool readonly;
	bool direct;
};

/**
 * struct disk_sink - takes the disks of a device
 * @disk: called for each; what it is given is valid during the call only.
 *        Negative: no more
 */
struct disk_sink {
	int (*disk)(struct disk_sink *sink, const struct device *dev,
		    const struct device_disk *disk, struct error *err);
};

/**
 * struct device_address - where the guest finds a device
 * @slot: PCI slot (device number), 0 to 31; unused for platform devices
 * @function: PCI function, 0 to 7
 *
 * Named in the machine description and never computed from the order of
 * options or of linking, so that nothing can move a device.
 */
struct device_address {
	u32 slot;
	u32 function;
};

/**
 * enum device_kind - what carries a device
 * @DEVICE_PLATFORM: fixed ports and lines of the architecture
 * @DEVICE_PCI: a function behind the PCI host bridge
 */
enum device_kind {
	DEVICE_PLATFORM,
	DEVICE_PCI,
};

/**
 * struct device_ops - what can be done with a device, and when
 * @realize: once, before running. Acquires all that the device needs; on
 *           failure undoes all and says why. Must not touch guest memory or
 *           start I/O.
 * @reset: power-on values, options kept. Called with the machine paused.
 *         Must not allocate.
 * @quiesce: called on the main loop after all vCPUs are parked: stop
 *           fetching, finish what was started; afterwards nothing is in
 *           flight. Must not drop or invent completions. NULL: nothing to do.
 * @save: paused and quiesced: copy into a zeroed struct of
 *        &state_desc.size bytes. Changes nothing.
 * @check: a decoded state, before anything is installed: refuse what does not
 *         fit the device as it was built (queue counts, sizes, indexes).
 *         NULL: the table's ranges say it all.
 * @load: install a state that @check has passed. Must not touch other
 *        devices, guest memory or raise interrupts.
 * @resume: before vCPUs run: re-arm, look at every doorbell again. NULL:
 *          nothing to do.
 * @unrealize: once: free all, in reverse order. Cannot fail.
 * @stat: give the counters to @sink, in any phase. NULL: it has none.
 * @disks: give the disks to @sink, in the order of their numbers, and what it
 *         returned when that was negative. NULL: it has none.
 * @disks_take: take the locks of all disks or of none, and forget what was
 *              read from them before. Having them already is fine. NULL: it
 *              has no disks.
 * @disks_give: paused and quiesced: have all that was written on stable
 *              storage, then give the locks back; on failure they are kept.
 *
 * All are called on the main loop's thread; @reset, @save, @check, @load and
 * @stat with the device's lock held.
 */
struct device_ops {
	int (*realize)(struct device *dev, struct error *err);
	void (*reset)(struct device *dev);
	int (*quiesce)(struct device *dev, struct error *err);
	void (*save)(const struct device *dev, void *state);
	int (*check)(const struct device *dev, const void *state,
		     struct error *err);
	void (*load)(struct device *dev, const void *state);
	void (*resume)(struct device *dev);
	void (*unrealize)(struct device *dev);
	void (*stat)(const struct device *dev, struct stat_sink *sink);
	int (*disks)(const struct device *dev, struct disk_sink *sink,
		     struct error *err);
	int (*disks_take)(struct device *dev, struct error *err);
	int (*disks_give)(struct device *dev, struct error *err);
};

/**
 * struct device_class - a kind of device; const, one per device file or folder
 * @name: the option's name without dashes ("nvme") and the stem of the names
 *        of its devices ("nvme0")
 * @compatible: of its node in the machine description ("lkvm,nvme")
 * @summary: one line
 * @kind: what carries it
 * @by_default: every machine has one, without being asked
 * @host: others sit behind it (LOCK_DEVICE_HOST instead of LOCK_DEVICE)
 * @hidden: cannot be asked for on the command line
 * @max: greatest number in one machine
 * @guest_disk: what a Linux guest calls the first of them, when it is a disk
 *              whose image is the option "file" ("/dev/nvme0n1"); else NULL
 * @guest_partition: what stands between that name and the number of a
 *                   partition ("p")
 * @default_options: `lkvm run` makes one with these options when the user has
 *                   named none; NULL: it does not
 * @default_missing: says why this host cannot have that one; NULL: every host
 *                   can
 * @is_none: do these options stand for no device at all, not even the one by
 *           default? NULL: none do
 * @instance_size: bytes of its run-time struct, which starts with its struct
 *                 device (or struct pci_device)
 * @options: its options; the configuration struct is &device.config
 * @state: its migratable state, NULL when it has none
 * @ops: its operations
 */
struct device_class {
	const char *name;
	const char *compatible;
	const char *summary;
	enum device_kind kind;
	bool by_default;
	bool hidden;
	bool host;
	u32 max;
	const char *guest_disk;
	const char *guest_partition;
	const char *default_options;
	int (*default_missing)(struct error *err);
	bool (*is_none)(const void *config);
	size_t instance_size;
	const struct option_table *options;
	const struct state_desc *state;
	const struct device_ops *ops;
};

/*
 * Puts a pointer to the class into the linker section that device_classes()
 * walks. "retain" keeps it through --gc-sections where the tool chain knows
 * it; the walk's __start_ symbol does elsewhere. AddressSanitizer must not put
 * its zones between the pointers; gcc leaves variables with a section alone.
 */
#ifdef __clang__
#define __no_asan_zones	__attribute__((no_sanitize("address")))
#else
#define __no_asan_zones
#endif

#define DEVICE_CLASS_REGISTER(class)					\
	static const struct device_class *const class##_registered	\
	__attribute__((used, section("lkvm_device_classes")))		\
	__no_asan_zones = &(class)

const struct device_class *const *device_classes(u32 *nr);
const struct device_class *device_class_find(const char *name);

/**
 * struct device - the common part of every device's run-time struct
 * @link: in &vm.devices, in order of creation
 * @class: its class
 * @vm: its machine
 * @name: "nvme0"
 * @index: the number in @name
 * @addr: where the guest finds it
 * @lock: control state; the bus takes it before it calls a region's ops
 *        (LOCK_DEVICE, or LOCK_DEVICE_HOST for a host bridge)
 * @gate: its door to guest memory
 * @config: its configuration, a struct of the class's option table; owned
 * @realized: realize has succeeded
 */
struct device {
	struct list link;
	const struct device_class *class;
	struct vm *vm;
	char name[24];
	u32 index;
	struct device_address addr;
	struct mutex lock;
	struct guest_gate gate;
	void *config;
	bool realized;
};

int device_create(struct vm *vm, const struct device_class *class, u32 index,
		  const struct device_address *addr, void *config,
		  struct device **out, struct error *err) __must_check;
void device_destroy(struct device *dev);
struct device *device_find(struct vm *vm, const char *name);
int device_disks_take(struct vm *vm, struct error *err) __must_check;
int device_disks_give(struct vm *vm, struct error *err) __must_check;
struct device *device_find_class(struct vm *vm, const char *class_name,
				 u32 index);

#endif /* LKVM_DEVICE_H */
