"""Locks the calling process in: from then on it can compute, read its input and answer.

Two fences, both kept by the kernel and both for good. Resource limits bound memory,
processor time and what may be written. A seccomp filter lets through only the system calls
that computing needs; opening a file or a socket, starting or signalling a process and
everything else fails with EPERM, for root as for an ordinary user, without namespaces.

The mistake to fear is a filter that lists what is forbidden: new system calls appear every
year. This one lists what is allowed. Where a filter can't be had the process is not confined
and must not go on: `ConfinementError`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import struct
from collections.abc import Mapping
from types import MappingProxyType

MEMORY_BYTES = 2**30
CPU_SECONDS = 120

_LIMITS: Mapping[int, int] = MappingProxyType(
    {
        resource.RLIMIT_AS: MEMORY_BYTES,
        resource.RLIMIT_CPU: CPU_SECONDS,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: 3,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_CORE: 0,
    }
)

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _SIGKILL = 1, 38, 9
_SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC = 1, 1
_RET_KILL_PROCESS, _RET_ERRNO, _RET_ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
# Classic BPF: load a word of the call's description, jump if equal, return a verdict.
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER_OFFSET, _ARCHITECTURE_OFFSET = 0, 4

# By machine: AUDIT_ARCH of linux/audit.h, the number of seccomp(2), and the column below.
_MACHINES: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {"x86_64": (0xC000003E, 317, 0), "aarch64": (0xC00000B7, 277, 1)}
)
# What remains allowed, as numbered in asm/unistd_64.h and in asm-generic/unistd.h. Reading,
# writing and seeking need an open file, and only standard input and output are open. `mmap`
# and its kin give memory; `kill` and `tgkill` are left out, abort() ends without them.
_ALLOWED: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "read": (0, 63),
        "write": (1, 64),
        "close": (3, 57),
        "lseek": (8, 62),
        "mmap": (9, 222),
        "mprotect": (10, 226),
        "munmap": (11, 215),
        "mremap": (25, 216),
        "brk": (12, 214),
        "madvise": (28, 233),
        "futex": (202, 98),
        "sched_yield": (24, 124),
        "rt_sigaction": (13, 134),
        "rt_sigprocmask": (14, 135),
        "rt_sigreturn": (15, 139),
        "sigaltstack": (131, 132),
        "clock_gettime": (228, 113),
        "getrandom": (318, 278),
        "getpid": (39, 172),
        "gettid": (186, 178),
        "exit": (60, 93),
        "exit_group": (231, 94),
    }
)


class ConfinementError(Exception):
    """The kernel does not offer what confinement needs; the sentence says what."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def confine() -> None:
    """Give up everything but standard input, output, memory and time. No way back.

    Raises
    ------
    ConfinementError
        If the machine or its kernel has no seccomp filter for us.
    """
    os.environ.clear()
    os.chdir("/")
    os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    for limit, value in _LIMITS.items():
        _, hard = resource.getrlimit(limit)
        lowest = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (lowest, lowest))
    _filter_system_calls()


def die_with(parent: int) -> None:
    """Be killed when the process `parent`, which started this one, ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def filter_program(machine: str) -> bytes:
    """The seccomp filter for `machine` as classic BPF, eight bytes an instruction.

    Raises
    ------
    ConfinementError
        If we know no system call numbers for it.
    """
    if machine not in _MACHINES:
        raise ConfinementError(f"Confinement knows x86_64 and aarch64, this machine is {machine}.")
    architecture, _, column = _MACHINES[machine]
    allowed = [numbers[column] for numbers in _ALLOWED.values()]
    lines = [
        (_LOAD, 0, 0, _ARCHITECTURE_OFFSET),
        # A call by another architecture's table would give numbers another meaning.
        (_JUMP_IF_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _RET_KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER_OFFSET),
        *((_JUMP_IF_EQUAL, len(allowed) - i, 0, number) for i, number in enumerate(allowed)),
        (_RETURN, 0, 0, _RET_ERRNO | errno.EPERM),
        (_RETURN, 0, 0, _RET_ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def _filter_system_calls() -> None:
    machine = platform.machine()
    instructions = filter_program(machine)
    program = _Program(len(instructions) // 8, instructions)
    libc = ctypes.CDLL(None, use_errno=True)
    # Without it the kernel lets only root set a filter; with it no program gains rights.
    refused = libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.syscall(
        _MACHINES[machine][1],
        _SECCOMP_SET_MODE_FILTER,
        _SECCOMP_FILTER_FLAG_TSYNC,
        ctypes.byref(program),
    )
    if refused:
        reason = os.strerror(ctypes.get_errno())
        raise ConfinementError(f"This kernel takes no seccomp filter ({reason}).")
