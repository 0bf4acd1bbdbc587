"""Whole processes, measured by the kernel: wall time, CPU time and peak memory of one child that has ended."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from typing import Any, NamedTuple

# ru_maxrss is in kilobytes, on macOS in bytes.
RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class Usage(NamedTuple):
    """Seconds of the clock, seconds of user and system time of all threads, bytes."""

    wall: float
    cpu: float
    peak: int


def measured(command: list[str], env: dict[str, str], cwd: pathlib.Path) -> tuple[Usage, Any]:
    """What the command took, and the JSON that it printed.

    A child's peak starts at the peak of the process that started it, so this one has to stay small: neither numpy nor
    polars is imported here. The output goes through files, so that nobody waits for a reader.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=env, cwd=cwd)
        _, status, used = os.wait4(child.pid, 0)
        wall = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        for stream in (out, err):
            stream.seek(0)
        if child.returncode != 0:
            sys.exit(f"error: exit {child.returncode} of {' '.join(command)}\n{err.read().decode(errors='replace')}")
        return Usage(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * RSS_UNIT), json.load(out)


def limited_to(threads: int) -> dict[str, str]:
    """An environment in which polars, rayon, OpenMP and BLAS use this many threads; and so many cores, where the system can.

    Children inherit both.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    limits = ("POLARS_MAX_THREADS", "RAYON_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return os.environ | dict.fromkeys(limits, str(threads))


def machine(threads: int) -> dict[str, Any]:
    """Taken before anything runs, so that the load is that of others."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "memory_gb": round(pages * size / 1e9, 1),
        "load": round(os.getloadavg()[0], 2),
    }


def processor() -> str:
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return sys.platform
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), os.uname().machine)
