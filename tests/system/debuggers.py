# SPDX-License-Identifier: GPL-2.0-only
#
# debuggers.py - what drgn sees in a snapshot, for debuggers.sh; run by drgn

from drgn.helpers.linux.cpumask import for_each_online_cpu
from drgn.helpers.linux.pid import for_each_task

print("release", prog["init_uts_ns"].name.release.string_().decode())
print("cpus", len(list(for_each_online_cpu(prog))))
for task in for_each_task(prog):
    name = task.comm.string_().decode()
    if task.pid.value_() == 1:
        print(1, name)
    if name == "sleep":
        names = [frame.name for frame in prog.stack_trace(task) if frame.name]
        print("sleep", " ".join(names))
