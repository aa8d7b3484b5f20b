"""What becomes of a zip that a site sends, through the services and the real processes."""

from __future__ import annotations

import hashlib

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from imaging import selectors, storage
from imaging.models import Instance, ReceivedFile, Transmittal
from imaging.services import archive_reader, inspection, receiving, unpacking
from tests import factories
from tests.imaging.test_intake import a_slice, sent, worked
from tests.imaging.zips import HOSTILE, Member, archive
from trials.models import AuditEvent, Job
from trials.roles import Role
from trials.services import jobs

pytestmark = pytest.mark.django_db

State = Transmittal.State
FileState = ReceivedFile.State


@pytest.fixture(autouse=True)
def stores(settings, tmp_path):
    settings.STORAGE = tmp_path


@pytest.fixture
def site():
    return factories.make_site(factories.make_fdg_trial())


@pytest.fixture
def coordinator(site):
    return factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)


@pytest.fixture
def scan(site, coordinator):
    return factories.make_scan(factories.make_enrolled(site, by=coordinator), by=coordinator)


@pytest.fixture
def slices(dataset) -> list[bytes]:
    return [a_slice(dataset, n) for n in (1, 2, 3)]


def packed(slices: list[bytes], *others: Member) -> bytes:
    images = [Member(f"ZZCANARY^Anna/IM{n:04}", data) for n, data in enumerate(slices, 1)]
    return archive([*images, *others])


def rows(transmittal: Transmittal) -> list[tuple]:
    fields = ("position", "sha256", "size", "state", "code", "archive__position")
    return list(transmittal.files.order_by("position").values_list(*fields))


@pytest.mark.requirement("R71")
def test_a_zip_becomes_its_files_which_go_the_way_of_all(scan, coordinator, slices):
    transmittal = sent(scan, [packed(slices)], coordinator)
    assert (transmittal.state, transmittal.message) == (State.ASSEMBLED, "")
    own, *files = rows(transmittal)
    assert own[3:] == ("unpacked", "archive-unpacked", None)
    assert [row[1] for row in files] == [hashlib.sha256(one).hexdigest() for one in slices]
    assert {row[3:] for row in files} == {("released", "", 1)}
    assert Instance.objects.filter(series__transmittal=transmittal).count() == 3
    told = transmittal.files.get(position=1).message
    assert told == "An archive: 3 files were taken out, and each goes the way of any file."
    assert not any(storage.quarantine.has(row[1]) for row in rows(transmittal))


@pytest.mark.requirement("R71")
def test_no_name_of_the_archive_is_kept_anywhere(scan, coordinator, slices, tmp_path):
    others = [Member("ZZCANARY^Anna/.DS_Store", b"x"), Member("ZZCANARY.zip", archive([]))]
    transmittal = sent(scan, [packed(slices, *others)], coordinator)
    rows = [*transmittal.files.values(), *Transmittal.objects.filter(pk=transmittal.pk).values()]
    trail = AuditEvent.objects.values_list("before", "after")
    assert "CANARY" not in str(rows)
    assert "CANARY" not in str(list(trail))
    assert not [path for path in tmp_path.rglob("*") if "CANARY" in path.name]


@pytest.mark.requirement("R71")
def test_what_is_left_out_is_told_by_kind_and_place(scan, coordinator, slices):
    others = [
        Member("DICOMDIR", b"x"),
        Member("__MACOSX/._IM0001", b"x"),
        Member("Thumbs.db", b"x"),
        Member("readme.txt", b"x"),
        *(Member(f"{n}.html", b"<script>alert(1)</script>%d" % n) for n in range(12)),
        Member("inner.zip", archive([Member("IM0001", slices[0])])),
    ]
    transmittal = sent(scan, [packed(slices, *others)], coordinator)
    assert transmittal.state == State.ASSEMBLED
    assert transmittal.files.get(position=1).message == (
        "An archive: 3 files were taken out, and each goes the way of any file. Left out: "
        "DICOMDIR (entry 4); __MACOSX (entry 5); Thumbs.db (entry 6); text file (entry 7, 8, 9, "
        "10, 11, 12, 13, 14, 15, 16 and 3 more); an archive within it (entry 20)."
    )
    assert rows(transmittal)[-1][3:] == ("rejected", "archive-nested", 1)
    refusals = {one.state: one.message for one in selectors.refusals(transmittal)}
    assert "not opened" in refusals[FileState.REJECTED]
    assert "text file" in refusals[FileState.UNPACKED]


@pytest.mark.requirement("R71")
@pytest.mark.parametrize(
    "name", ["T1 leads out", "T2 link", "T3 bomb of small entries", "T4 longer than told",
             "T7 same path twice", "encrypted"]
)  # fmt: skip
def test_a_refused_archive_leaves_nothing_of_itself(scan, coordinator, name, tmp_path):
    code, members = HOSTILE[name]
    transmittal = sent(scan, [archive(members)], coordinator)
    assert (transmittal.state, transmittal.code) == (State.REJECTED, code)
    assert [row[3:] for row in rows(transmittal)] == [("rejected", code, None)]
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.requirement("R71")
@pytest.mark.parametrize(
    ("data", "code"),
    [
        (archive([]), "archive-empty"),
        (archive([Member("readme.txt", b"x"), Member("DICOMDIR", b"x")]), "archive-empty"),
        (archive([Member("IM1", b"x" * 999)])[:-4], "archive-truncated"),
        (b"Rar!\x1a\x07\x01\x00", "archive-foreign"),
        (archive([Member("IM1", b"no image")]), "not-dicom"),
    ],
)
def test_an_archive_without_images_says_what_to_do(scan, coordinator, data, code):
    transmittal = sent(scan, [data], coordinator)
    assert (transmittal.state, transmittal.code) == (State.REJECTED, code)


def test_an_archive_beside_images_that_is_refused_stops_no_image(scan, coordinator, slices):
    bad = archive(HOSTILE["T2 link"][1])
    transmittal = sent(scan, [*slices, bad], coordinator)
    assert transmittal.state == State.ASSEMBLED
    assert rows(transmittal)[-1][3:] == ("rejected", "archive-special", None)


def test_the_same_image_in_folder_and_archive_is_kept_once(scan, coordinator, slices):
    transmittal = sent(scan, [slices[1], packed(slices)], coordinator)
    assert transmittal.state == State.ASSEMBLED
    assert [row[3] for row in rows(transmittal)] == ["released", "unpacked", "released", "released"]


def test_an_archive_is_asked_for_again_only_while_none_of_its_files_is_known(
    scan, coordinator, slices
):
    good, bad = packed(slices), archive([Member("IM1", b"no image")])
    digests = [hashlib.sha256(one).hexdigest() for one in (good, bad)]
    sent(scan, [bad], coordinator)
    sent(scan, [good], coordinator)
    transmittal = receiving.open_transmittal(scan, by=coordinator)
    assert receiving.missing(transmittal, sha256s=digests, by=coordinator) == digests[1:]


def test_more_files_than_a_transmittal_holds_are_refused_before_one_is_kept(
    scan, coordinator, slices, monkeypatch
):
    monkeypatch.setattr(receiving, "MAXIMUM_FILES", 3)
    transmittal = sent(scan, [packed(slices)], coordinator)
    assert (transmittal.state, transmittal.code) == (State.REJECTED, "archive-too-many")
    assert transmittal.files.count() == 1


class KilledError(Exception):
    """What ends a worker in the middle."""


@pytest.mark.requirement("R71")
@pytest.mark.parametrize("after", range(6))
def test_killed_anywhere_and_done_again_it_gives_the_same_rows(
    site, coordinator, slices, monkeypatch, after
):
    """The worker dies before its write number `after`; one file is a batch."""
    others = [Member("inner.zip", archive([Member("IM1", slices[0])])), Member("readme.txt", b"x")]
    data = packed(slices, *others)
    monkeypatch.setattr(unpacking, "BATCH_FILES", 1)
    found = []
    for dies in (False, True):
        patient = factories.make_enrolled(site, by=coordinator)
        transmittal = received(factories.make_scan(patient, by=coordinator), data, coordinator)
        if dies:
            with monkeypatch.context() as patched:
                die(patched, after)
                with pytest.raises(KilledError):
                    unpacking.unpack(claim(transmittal), transmittal)
        unpacking.unpack(claim(transmittal), transmittal)
        once = rows(transmittal)
        unpacking.unpack(claim(transmittal), transmittal)
        assert rows(transmittal) == once
        found.append(once)
    assert found[0] == found[1]
    assert [row[3] for row in found[0]] == ["unpacked", *["received"] * 3, "rejected"]


def die(patched, after: int) -> None:
    """Before the file number `after` is kept, or else before or after the archive is settled."""
    kept, keep, remove = [], receiving.keep, unpacking.clearing.remove

    def keep_or_die(*given, **named):
        if len(kept) == after:
            raise KilledError
        kept.append(given)
        return keep(*given, **named)

    def remove_or_die(digests):
        if after > 4:
            remove(digests)
        raise KilledError

    patched.setattr(receiving, "keep", keep_or_die)
    patched.setattr(unpacking.clearing, "remove", remove_or_die)


def received(scan, data: bytes, by) -> Transmittal:
    transmittal = receiving.open_transmittal(scan, by=by)
    receiving.receive(transmittal, files=[SimpleUploadedFile("x.zip", data)], by=by)
    return receiving.complete(transmittal, by=by)


def claim(transmittal: Transmittal) -> jobs.Claim:
    job = Job.objects.get(kind="imaging.inspect", arguments__transmittal=transmittal.pk)
    return jobs.Claim(job.pk, job.token, job.kind, job.arguments, job.actor)


def test_a_worker_that_lost_its_lease_adds_nothing(scan, coordinator, slices):
    transmittal = received(scan, packed(slices), coordinator)
    late = transmittal.files.get()
    worked(transmittal)
    before = rows(transmittal)
    with pytest.raises(jobs.StaleClaim), unpacking._framed(late, "archive.unpacked"):
        receiving.keep(transmittal, [[b"other"]], archive=late)
    assert rows(transmittal) == before


def test_a_full_disk_stops_the_work_and_refuses_no_archive(scan, coordinator, slices, settings):
    transmittal = received(scan, packed(slices), coordinator)
    settings.KEEP_FREE_BYTES = 2**60
    with pytest.raises(receiving.Refused) as refusal:
        inspection.inspect(claim(transmittal))
    assert refusal.value.code == "no-space"
    assert [row[3] for row in rows(transmittal)] == ["received"]


def test_without_a_locked_in_process_nothing_is_opened(scan, coordinator, slices, monkeypatch):
    transmittal = received(scan, packed(slices), coordinator)
    monkeypatch.setattr(archive_reader, "_PROGRAM", "raise SystemExit")
    with pytest.raises(archive_reader.ReaderError):
        unpacking.unpack(claim(transmittal), transmittal)
    assert [row[3] for row in rows(transmittal)] == ["received"]
