# SPDX-License-Identifier: Apache-2.0
"""What processes have used, from /proc."""
import os
import pathlib
import statistics
import time

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def _stat(pid):
    """(parent, own CPU seconds, CPU seconds of children that ended)."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    parent = int(fields[1])
    user, system, child_user, child_system = (int(field) for field in fields[11:15])
    return parent, (user + system) * _TICK_S, (child_user + child_system) * _TICK_S


def _status_kib(pid, name):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    return 0


def _children(pid):
    found = []
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and _stat(entry)[0] == pid:
                found.append(int(entry))
        except OSError:  # it just ended
            pass
    return found


def cpu_s(pid):
    """Of a process and its children, those included that have ended."""
    _, own, ended = _stat(pid)
    total = own + ended
    for child in _children(pid):
        try:
            total += cpu_s(child)
        except OSError:  # its time is in `ended` next time
            pass
    return total


def resident_peak_kib(pid):
    """The most that a process, or one of its children, ever had in memory."""
    peak = _status_kib(pid, "VmHWM")
    for child in _children(pid):
        try:
            peak = max(peak, resident_peak_kib(child))
        except OSError:
            pass
    return peak


def bytes_written(pid):
    """To files, by a process that has no children."""
    for line in pathlib.Path(f"/proc/{pid}/io").read_text().splitlines():
        if line.startswith("write_bytes:"):
            return int(line.split()[1])
    return 0


def fdatasync_ms(folder, repeats=50):
    """The median time of writing and syncing a page, beside which latencies
    are to be read."""
    path = pathlib.Path(folder) / "fdatasync"
    fd = os.open(path, os.O_CREAT | os.O_WRONLY)
    took = []
    try:
        for i in range(repeats):
            os.pwrite(fd, b"\1" * 4096, i * 4096)
            started = time.monotonic()
            os.fdatasync(fd)
            took.append((time.monotonic() - started) * 1e3)
    finally:
        os.close(fd)
        path.unlink()
    return statistics.median(took)
