"""Volumes kept in memory: read once, apart from each other, bounded, and gone with the images."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from imaging.geometry import Grid
from imaging.models import Series
from imaging.services import destruction, open_volumes
from imaging.services.open_volumes import OpenVolume, OpenVolumes
from tests import factories, records
from trials.services import jobs
from trials.services.errors import Refused

MEGABYTE = 2**20
# Longer than any thread of a busy machine waits; nothing waits so long that is not broken.
PATIENCE = 30


def volume(megabytes: int = 1) -> OpenVolume:
    suv = np.zeros((megabytes, 512, 512), np.float32)
    return OpenVolume(suv, Grid(shape=suv.shape, spacing=(1, 1, 1), origin=(0, 0, 0)), ())


def test_many_threads_that_ask_for_one_volume_read_it_once():
    kept, loads = OpenVolumes(64 * MEGABYTE), []
    together = threading.Barrier(8)

    def load() -> OpenVolume:
        loads.append(1)
        time.sleep(0.05)
        return volume()

    def ask(_: int) -> OpenVolume:
        together.wait(PATIENCE)
        return kept.get("one", 1, load)

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(ask, range(8)))
    assert len(loads) == 1
    assert all(one is found[0] for one in found)


def test_who_looks_at_one_volume_does_not_wait_until_another_is_read():
    kept = OpenVolumes(64 * MEGABYTE)
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> OpenVolume:
        begun.set()
        assert go_on.wait(PATIENCE)
        return volume()

    kept.get("open", 1, volume)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(kept.get, "slow", 2, slow)
        assert begun.wait(PATIENCE)
        # Both the one that is open and one that is to be read are answered meanwhile.
        assert kept.get("open", 1, slow).nbytes == MEGABYTE
        assert kept.get("other", 3, volume).nbytes == MEGABYTE
        assert not waiting.done()
        go_on.set()
        waiting.result(PATIENCE)
    assert kept.series() == {1, 2, 3}


def test_no_more_are_read_at_once_than_memory_is_there_for():
    kept = OpenVolumes(64 * MEGABYTE, loads_at_once=2)
    under_way, most, lock = 0, 0, threading.Lock()
    two = threading.Barrier(2)

    def load() -> OpenVolume:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        # Two do read at once, however late the second comes; a third would be seen meanwhile.
        two.wait(PATIENCE)
        time.sleep(0.02)
        with lock:
            under_way -= 1
        return volume()

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda at: kept.get(f"{at}", at, load), range(6)))
    assert most == 2


def test_the_one_used_longest_ago_goes_first_and_one_that_is_larger_stays_alone():
    kept = OpenVolumes(3 * MEGABYTE)
    for at in (1, 2, 3):
        kept.get(f"{at}", at, volume)
    kept.get("1", 1, volume)
    kept.get("4", 4, volume)
    assert kept.series() == {1, 3, 4}
    kept.get("5", 5, lambda: volume(8))
    assert kept.series() == {5}


def test_a_volume_that_can_not_be_read_is_tried_again_by_the_next_who_asks():
    kept = OpenVolumes(64 * MEGABYTE)

    def fails() -> OpenVolume:
        raise Refused("measured-again", "wait")

    with pytest.raises(Refused):
        kept.get("one", 1, fails)
    assert kept.get("one", 1, volume).nbytes == MEGABYTE


def test_a_new_measurement_takes_the_place_of_the_one_before():
    kept = OpenVolumes(64 * MEGABYTE)
    kept.get("run 1", 1, volume)
    kept.get("run 2", 1, volume)
    kept.forget({2})
    assert kept.series() == {1}
    assert kept._bytes() == MEGABYTE


def test_what_nobody_looks_at_does_not_stay():
    kept = OpenVolumes(64 * MEGABYTE, idle_seconds=0.05)
    kept.get("one", 1, volume)
    until = time.monotonic() + PATIENCE
    while kept.series() and time.monotonic() < until:
        time.sleep(0.05)
    assert kept.series() == set()


@pytest.fixture
def run(db, storage, pet_site, everyone, scan):
    return records.make_measured(scan, by=everyone)


def expunge(run, by) -> None:
    with factories.framed():
        job = jobs.enqueue("imaging.expunge", actor=by, transmittal=run.series.transmittal_id)
    destruction.expunge(jobs.claim(job.pk))


def test_a_destruction_empties_the_memory_of_its_process(
    run, everyone, django_capture_on_commit_callbacks
):
    open_volumes.of_run(run)
    with django_capture_on_commit_callbacks(execute=True):
        expunge(run, everyone)
    assert run.series_id not in open_volumes._OPEN.series()


def test_what_another_process_destroyed_goes_when_it_is_asked_for(run):
    open_volumes.of_run(run)
    with factories.framed():
        Series.objects.filter(pk=run.series_id).update(code=Series.DESTROYED)
    run.series.refresh_from_db()
    with pytest.raises(Refused) as refused:
        open_volumes.of_run(run)
    assert (refused.value.code, refused.value.status) == ("not-kept", 410)
    assert run.series_id not in open_volumes._OPEN.series()


def test_what_another_process_destroyed_goes_when_any_other_is_read(run, everyone, pet_site):
    patient = factories.make_enrolled(pet_site, by=everyone)
    other = records.make_measured(factories.make_scan(patient, by=everyone), by=everyone)
    open_volumes.of_run(run)
    with factories.framed():
        Series.objects.filter(pk=run.series_id).update(code=Series.DESTROYED)
    open_volumes.of_run(other)
    kept = open_volumes._OPEN.series()
    assert (run.series_id in kept, other.series_id in kept) == (False, True)


def test_a_volume_that_is_destroyed_while_it_is_read_is_not_kept(run, monkeypatch):
    read = open_volumes.measuring.volume_of

    def destroyed_meanwhile(quantification):
        found = read(quantification)
        with factories.framed():
            Series.objects.filter(pk=run.series_id).update(code=Series.DESTROYED)
        return found

    monkeypatch.setattr(open_volumes.measuring, "volume_of", destroyed_meanwhile)
    with pytest.raises(Refused, match="were removed"):
        open_volumes.of_run(run)
    assert run.series_id not in open_volumes._OPEN.series()
