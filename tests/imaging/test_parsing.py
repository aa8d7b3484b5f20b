"""The pool of parsing processes: warm, in order, none for two transmittals, none left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Barrier, Timer

import numpy as np
import pytest

from imaging.parser_child import encoded
from imaging.services.forking import Template
from imaging.services.parser import Parser, ParserUnavailableError
from imaging.services.parsing import ParserPool

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def pool():
    with closing(ParserPool(2, file_seconds=2)) as pool:
        yield pool


@pytest.fixture
def slices(dataset) -> list[bytes]:
    """Twelve slices, each with an instance UID of its own."""
    dataset.PatientName, dataset.PatientID = "ZZCANARY^Name", "MRN-0815"
    dataset.PixelData = np.arange(20, dtype="<i2").tobytes()
    found = []
    for number in range(12):
        dataset.SOPInstanceUID = f"1.2.3.{number}"
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        found.append(encoded(dataset))
    return found


# Reading this much file meta information takes far more than the two seconds a file has here.
HOSTILE = bytes(128) + b"DICM" + b"\x02\x00\x01\x10LO\0\0" * 3_000_000


def inspected(parser: Parser, data: bytes) -> tuple[int | None, str, str]:
    """The process that looked at it, its verdict, and which image it was."""
    found = parser.inspect(data)
    return parser.pid, found.code or found.verdict, found.facts.get("sop_instance_uid", "")


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def until(true, seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.05)
    return true()


def test_results_come_in_the_order_of_the_files(pool, slices):
    found = list(pool.each(1, inspected, slices * 3))
    assert [uid for _, _, uid in found] == [f"1.2.3.{n}" for n in range(12)] * 3


def test_several_processes_are_at_work_at_once(pool, slices):
    both = Barrier(2)

    def together(parser: Parser, data: bytes) -> str:
        # Never passed by one alone, however long the other takes to begin.
        both.wait(30)
        return inspected(parser, data)[1]

    assert list(pool.each(2, together, slices[:2])) == ["accepted"] * 2


@pytest.mark.requirement("R72")
def test_no_process_serves_files_of_two_transmittals(pool, slices):
    first = {pid for pid, *_ in pool.each(3, inspected, slices)}
    second = {pid for pid, *_ in pool.each(4, inspected, slices)}
    assert first
    assert second
    assert not first & second
    assert all(map(is_gone, first))


def test_the_processes_of_the_next_job_wait_for_it(pool, slices):
    served = {pid for pid, *_ in pool.each(5, inspected, slices)}
    assert until(lambda: len(pool.pids()) == 2 and not served & set(pool.pids()))
    ready = set(pool.pids())
    found = list(pool.each(6, inspected, slices[:1]))
    assert {pid for pid, *_ in found} <= ready


@pytest.mark.requirement("R72")
def test_a_hostile_file_ends_its_own_process_alone(pool, slices):
    found = list(pool.each(7, inspected, [*slices[:3], HOSTILE, *slices[3:]]))
    assert [what for _, what, _ in found] == ["accepted"] * 3 + ["parser-timeout"] + [
        "accepted"
    ] * 9
    assert [uid for _, what, uid in found if what == "accepted"] == [
        f"1.2.3.{n}" for n in range(12)
    ]


@pytest.mark.requirement("R72")
def test_a_process_killed_in_mid_work_costs_its_file_alone(pool, slices):
    def dies(parser: Parser, data: bytes) -> str:
        if data == slices[4]:
            os.kill(parser.pid, signal.SIGKILL)
        return inspected(parser, data)[1]

    found = Counter(pool.each(8, dies, slices))
    # Seen to be dead before its file was sent, it is replaced and nothing is lost.
    assert found in ({"accepted": 12}, {"accepted": 11, "parser-died": 1})


def test_what_fails_is_raised_in_its_turn_and_nothing_more_is_begun(pool, slices):
    begun = []

    def fails(_parser: Parser, number: int) -> int:
        begun.append(number)
        if number == 2:
            raise ValueError("two")
        return number

    found = []
    with pytest.raises(ValueError, match="two"):
        found.extend(pool.each(9, fails, range(1000)))
    assert max(begun) < 10


def test_few_results_wait_however_many_files_there_are(pool):
    done = []
    with closing(pool.each(10, lambda _parser, number: done.append(number), range(1000))) as each:
        next(each)
        time.sleep(0.2)
        assert len(done) <= 4


def test_closed_it_leaves_no_process(slices):
    pool = ParserPool(2)
    list(pool.each(1, inspected, slices))
    pids = pool.pids()
    pool.close()
    assert pids
    assert all(map(is_gone, pids))


@pytest.mark.requirement("R72")
@pytest.mark.parametrize("end", ["sys.exit()", "os.kill(os.getpid(), 9)"])
def test_no_process_outlives_the_worker(end):
    program = (
        "import os, signal, sys, threading; sys.path.insert(0, sys.argv[1]);"
        "from imaging.services.parsing import parsers;"
        "pool = parsers(); list(pool.each(1, lambda parser, one: parser.start(), [0, 1]));"
        # Until each has its new process: stopped as it starts, one is waited for up to a minute.
        "met = threading.Barrier(pool.size);"
        "[one.result() for one in [pool._threads.submit(met.wait) for _ in range(pool.size)]];"
        "print(*pool.pids(), flush=True);"
        # Stopped, they can't see that their input has ended.
        f"[os.kill(pid, signal.SIGSTOP) for pid in pool.pids()]; {end}"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(ROOT)],
        capture_output=True,
        timeout=60,
    )
    pids = [int(word) for word in done.stdout.split()]
    assert pids
    assert not done.stderr
    # It may stay a zombie where nobody collects orphans.
    assert until(lambda: all(is_gone(pid) or ") Z " in stat(pid) for pid in pids))


def stat(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return ""


def test_the_end_of_the_template_is_no_verdict_on_a_file(slices):
    template = Template()
    with ExitStack() as left:
        left.callback(template.end)
        parser = left.enter_context(Parser(template))
        os.kill(parser.pid, signal.SIGSTOP)
        Timer(0.2, template._process.kill).start()
        with pytest.raises(ParserUnavailableError):
            parser.inspect(slices[0])
        # And the next file finds a new one.
        assert parser.inspect(slices[0]).verdict == "accepted"
