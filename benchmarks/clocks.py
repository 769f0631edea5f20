"""What the kernel says of CPU time."""

import os
import time
from pathlib import Path

_CPU_CLOCK_OF_PROCESS = 2


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads of a process, user and system, to the nanosecond.

    The clock that `clock_getcpuclockid(3)` names; /proc/PID/stat has the same sum in steps of 10 ms.
    """
    return time.clock_gettime((~pid << 3) | _CPU_CLOCK_OF_PROCESS)


def stolen_seconds() -> float:
    """CPU time that the host has taken from this machine's processors since boot, in steps of 10 ms (proc(5), steal).

    What a process is charged for grows with it: it finds its caches emptied when it goes on.
    """
    with Path("/proc/stat").open(encoding="ascii") as file:
        return int(file.readline().split()[8]) / os.sysconf("SC_CLK_TCK")
