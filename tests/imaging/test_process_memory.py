"""What a process that handles many images asks of the kernel, counted by the kernel."""

from __future__ import annotations

import subprocess
import sys

PAGES = """
import resource
from imaging import process_memory
if {is_kept}:
    process_memory.keep()
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
one = lambda: [b"a" * 2**20 for _ in range(5)]
one()
before = faults()
for _ in range(50):
    one()
print(faults() - before)
"""
CIRCLES = """
import gc
from imaging import process_memory
process_memory.settle()
print(gc.get_freeze_count(), gc.get_threshold()[0])
"""
LEFT = """
from pathlib import Path
from imaging import kept_memory, process_memory
process_memory.keep()
pages = lambda: int(Path("/proc/self/statm").read_text().split()[1])
before = pages()
kept_memory.empty((100, 512, 512))[:] = 1
buffers = [b"a" * 2**20 for _ in range(100)]
last = b"a" * 2**20
del buffers
left = pages()
process_memory.give_back()
print(before, left, pages())
"""


def said(program: str) -> list[int]:
    told = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    return [int(word) for word in told.stdout.split()]


def test_buffers_are_given_no_pages_anew():
    """Fifty times five buffers of 256 pages each: 64,000 faults if each is given its pages."""
    (kept,), (given_back,) = (said(PAGES.format(is_kept=is_kept)) for is_kept in (True, False))

    assert kept < 5 * 256 < given_back


def test_what_was_loaded_is_left_alone():
    frozen, threshold = said(CIRCLES)

    assert frozen > 1000
    assert threshold == 50_000


def test_what_a_volume_and_small_buffers_left_is_given_back():
    before, left, given_back = said(LEFT)

    assert left - before > 150 * 256
    assert given_back - before < 20 * 256
