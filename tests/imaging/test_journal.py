"""The journal of C-STORE: what was acknowledged is there, whatever happened to the process."""

from __future__ import annotations

import errno
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from imaging.models import ReceivedFile, Transmittal
from imaging.services import journal as journals
from imaging.services import receiving
from imaging.services.filing import Filer
from imaging.services.journal import DamagedError, Entry, Journal, entries
from tests import factories

NOON = "2026-03-02T12:00:00+00:00"


@pytest.fixture
def journal(tmp_path):
    found = Journal(tmp_path / "journal", reserve=0)
    yield found
    found.close()


def an_entry(number: int, site: int = 1) -> Entry:
    return Entry(site, "PETCT1", NOON, b"%d" % number * 100)


def segment(journal, number: int):
    """A closed segment with so many entries."""
    for n in range(number):
        journal.append(an_entry(n))
    journal.close_segment()
    (path,) = journal.waiting()
    return path


def test_what_was_appended_is_read_in_its_order(journal):
    path = segment(journal, 3)
    assert list(entries(path)) == [an_entry(n) for n in range(3)]


def test_a_segment_that_is_written_to_does_not_wait_to_be_filed(journal):
    journal.append(an_entry(1))
    assert journal.waiting() == []
    journal.close_segment()
    journal.append(an_entry(2))
    assert len(journal.waiting()) == 1


def test_cut_anywhere_all_whole_records_are_there_and_no_other(journal):
    path = segment(journal, 3)
    content = path.read_bytes()
    one = len(content) // 3
    for cut in range(len(content)):
        path.write_bytes(content[:cut])
        assert list(entries(path)) == [an_entry(n) for n in range(cut // one)]


def test_zeros_after_a_loss_of_power_are_no_record(journal):
    path = segment(journal, 2)
    content = path.read_bytes()
    path.write_bytes(content + bytes(5000))
    assert len(list(entries(path))) == 2
    half = len(content) * 3 // 4
    path.write_bytes(content[:half] + bytes(len(content) - half))
    assert list(entries(path)) == [an_entry(0)]


def test_a_record_changed_before_others_is_damage(journal):
    path = segment(journal, 3)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    found = entries(path)
    assert next(found) == an_entry(0)
    with pytest.raises(DamagedError):
        next(found)


def test_a_journal_is_held_by_one_process(journal):
    with pytest.raises(BlockingIOError, match="another process"):
        Journal(journal.folder)


def test_nothing_is_taken_on_a_disk_that_is_nearly_full(journal):
    journal.append(an_entry(1))
    journal.reserve = 2**60
    with pytest.raises(OSError, match="nearly full") as refused:
        journal.append(an_entry(2))
    assert refused.value.errno == errno.ENOSPC
    journal.reserve = 0
    journal.append(an_entry(3))
    journal.close_segment()
    assert list(entries(journal.waiting()[0])) == [an_entry(1), an_entry(3)]


def test_a_write_that_breaks_off_leaves_nothing_of_its_record(journal, monkeypatch):
    journal.append(an_entry(1))
    write, calls = journals.os.pwrite, []

    def full(descriptor, content, at):
        calls.append(at)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, content[:10], at)

    monkeypatch.setattr(journals.os, "pwrite", full)
    with pytest.raises(OSError, match="No space"):
        journal.append(an_entry(2))
    monkeypatch.undo()
    journal.append(an_entry(3))
    journal.close_segment()
    assert list(entries(journal.waiting()[0])) == [an_entry(1), an_entry(3)]


def test_after_a_sync_that_failed_another_segment_is_begun(journal, monkeypatch):
    journal.append(an_entry(1))

    def fails(_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(journals.os, "fdatasync", fails)
    with pytest.raises(OSError, match="Input/output"):
        journal.append(an_entry(2))
    monkeypatch.undo()
    journal.append(an_entry(3))
    journal.close_segment()
    first, second = journal.waiting()
    assert an_entry(1) in list(entries(first))
    assert list(entries(second)) == [an_entry(3)]


def test_many_append_at_once(journal):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: journal.append(an_entry(n)), range(200)))
    journal.close_segment()
    found = {one.content for path in journal.waiting() for one in entries(path)}
    assert found == {an_entry(n).content for n in range(200)}


@pytest.fixture
def site(storage, pet_site):
    return pet_site


def files_of(site) -> int:
    return ReceivedFile.objects.filter(transmittal__site=site).count()


def a_few(journal, site, number: int = 3):
    for n in range(number):
        journal.append(an_entry(n, site.pk))
    journal.close_segment()


@pytest.mark.django_db
def test_a_segment_goes_once_it_is_in_the_ledger(journal, site):
    a_few(journal, site)
    assert Filer(journal).file_all()
    assert (files_of(site), journal.waiting()) == (3, [])


@pytest.mark.django_db
def test_filed_again_after_a_crash_nothing_is_there_twice(journal, site):
    a_few(journal, site)
    (path,) = journal.waiting()
    kept = path.with_suffix(".kept")
    shutil.copy(path, kept)
    assert Filer(journal).file_all()
    # The transmittal may have been completed before the process came back.
    receiving._complete(Transmittal.objects.get(site=site), by=factories.make_user())
    shutil.move(kept, path)
    assert Filer(journal).file_all()
    assert (files_of(site), Transmittal.objects.filter(site=site).count()) == (3, 1)


@pytest.mark.django_db
def test_what_can_not_be_filed_stays(journal, site, monkeypatch):
    a_few(journal, site)

    def away(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(receiving, "take_in", away)
    assert not Filer(journal).file_all()
    assert len(journal.waiting()) == 1
    monkeypatch.undo()
    assert Filer(journal).file_all()
    assert files_of(site) == 3


@pytest.mark.django_db
def test_of_a_damaged_segment_what_is_whole_is_filed_and_the_rest_kept(journal, site):
    a_few(journal, site)
    (path,) = journal.waiting()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert Filer(journal).file_all()
    assert files_of(site) == 1
    assert path.with_suffix(".damaged").exists()


@pytest.mark.django_db
def test_objects_of_several_sites_and_senders_are_told_apart(journal, site):
    other = factories.make_site(site.trial, "X-2")
    journal.append(an_entry(1, site.pk))
    journal.append(Entry(other.pk, "PETCT2", NOON, b"2"))
    journal.append(Entry(site.pk, "PETCT3", NOON, b"3"))
    journal.close_segment()
    assert Filer(journal).file_all()
    assert (files_of(site), files_of(other)) == (2, 1)
    senders = Transmittal.objects.filter(site=site).values_list("sender", flat=True)
    assert set(senders) == {"PETCT1", "PETCT3"}


@pytest.mark.django_db
def test_what_several_send_in_turns_is_entered_once_a_sender(journal, site):
    for n in range(20):
        journal.append(Entry(site.pk, f"PETCT{n % 2}", NOON, b"%d" % n))
    journal.close_segment()
    assert Filer(journal).file_all()
    # What is kept together is written together.
    rows = ReceivedFile.objects.order_by("pk").values_list("transmittal__sender", flat=True)
    assert list(rows) == ["PETCT0"] * 10 + ["PETCT1"] * 10
