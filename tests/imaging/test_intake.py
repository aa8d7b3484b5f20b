"""What becomes of files that a site sends, through the services and the real parsing process."""

from __future__ import annotations

import copy
import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from pydicom.uid import CTImageStorage

from imaging import selectors, storage
from imaging.models import (
    DeidentificationProof,
    Instance,
    Quantification,
    ReceivedFile,
    Series,
    Transmittal,
)
from imaging.parser_child import encoded
from imaging.selectors import volumes
from imaging.services import destruction, inspection, preparing, receiving, release
from imaging.services.parser import Parser
from imaging.storage import prepared
from tests import factories
from trials.models import Job, Patient, Query, Trial
from trials.roles import Role
from trials.services import audit, jobs, withdrawals
from trials.services.errors import Refused

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


def a_slice(dataset, number: int, **changes) -> bytes:
    ds = copy.deepcopy(dataset)
    ds.SOPInstanceUID, ds.InstanceNumber = f"1.2.3.{number}", str(number)
    ds.ImagePositionPatient = [0, 0, 3 * number]
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = "ZZCANARY^Anna", "MRN-0815", "19610423"
    ds.PixelData = np.full(20, number, "<i2").tobytes()
    for keyword, value in changes.items():
        setattr(ds, keyword, value)
    return encoded(ds)


def sent(scan, files: list[bytes], by) -> Transmittal:
    """The transmittal after every job that follows has run."""
    transmittal = receiving.open_transmittal(scan, by=by)
    named = [SimpleUploadedFile("ZZCANARY.dcm", content) for content in files]
    receiving.receive(transmittal, files=named, by=by)
    receiving.complete(transmittal, by=by)
    return worked(transmittal)


def worked(transmittal) -> Transmittal:
    waiting = Job.objects.filter(state=Job.State.QUEUED).exclude(kind="imaging.quantify")
    while job := waiting.first():
        jobs.run(job.pk)
        job.refresh_from_db()
        assert job.state == Job.State.DONE, job.error
    transmittal.refresh_from_db()
    return transmittal


def test_series_is_released_without_its_patient_and_assembled(scan, coordinator, dataset):
    slices = [a_slice(dataset, n) for n in (1, 2, 3)]
    transmittal = sent(scan, slices, coordinator)
    assert (transmittal.state, transmittal.message) == (State.ASSEMBLED, "")
    instances = list(Instance.objects.filter(series__transmittal=transmittal))
    assert len(instances) == 3
    for instance in instances:
        data = storage.archive.read(instance.sha256)
        assert b"CANARY" not in data
        assert b"MRN-0815" not in data
        assert pydicom.dcmread(io.BytesIO(data)).PatientID == scan.patient.identifier
        assert "CANARY" not in json.dumps([instance.header, instance.deidentification])


def inspected(scan, files: list[bytes], by) -> tuple[Transmittal, Path]:
    """The transmittal once it is inspected and not released, and where what is ready lies."""
    transmittal = receiving.open_transmittal(scan, by=by)
    receiving.receive(transmittal, files=[SimpleUploadedFile("a", one) for one in files], by=by)
    receiving.complete(transmittal, by=by)
    jobs.run(Job.objects.get(kind="imaging.inspect").pk)
    transmittal.refresh_from_db()
    return transmittal, Path(settings.STORAGE) / "prepared" / str(transmittal.pk)


def in_archive(transmittal) -> list[tuple[str, dict]]:
    rows = Instance.objects.filter(series__transmittal=transmittal).order_by("pk")
    return [(row.sha256, row.deidentification) for row in rows]


def made_ready(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name != prepared.TOLD]


def test_what_inspection_made_ready_is_released_and_leaves_nothing(scan, coordinator, dataset):
    slices = [a_slice(dataset, n) for n in (1, 2)]
    transmittal, ready = inspected(scan, slices, coordinator)
    made = [one.read_bytes() for one in made_ready(ready)]
    assert (transmittal.state, len(made)) == (State.INSPECTED, 2)
    assert not Instance.objects.exists()
    worked(transmittal)
    found = [storage.archive.read(sha256) for sha256, _ in in_archive(transmittal)]
    assert sorted(found) == sorted(made)
    assert not ready.exists()


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(b"x" * 99)])
def test_what_is_lost_or_spoilt_is_made_again_from_the_original(scan, coordinator, dataset, spoil):
    data = a_slice(dataset, 1)
    transmittal, ready = inspected(scan, [data], coordinator)
    with Parser() as parser:
        expected = parser.deidentify(data, preparing.policy_for(transmittal))
    for path in made_ready(ready):
        spoil(path)
    worked(transmittal)
    digest = hashlib.sha256(expected.dicom).hexdigest()
    assert in_archive(transmittal) == [(digest, expected.report)]


def test_what_lies_ready_and_what_does_not_are_released_together(
    scan, coordinator, dataset, monkeypatch
):
    monkeypatch.setattr(release, "BATCH", 2)
    series = [a_slice(dataset, n) for n in (1, 2, 3)]
    other = [a_slice(dataset, n, SeriesInstanceUID="1.2.9.9") for n in (4, 5)]
    transmittal, ready = inspected(scan, [*series, *other], coordinator)
    first = transmittal.files.get(position=1)
    (ready / first.sha256).unlink()
    assert worked(transmittal).state == State.ASSEMBLED
    rows = Instance.objects.filter(series__transmittal=transmittal).order_by("pk")
    assert list(rows.values_list("received_file__position", flat=True)) == [1, 2, 3, 4, 5]
    assert {storage.archive.size(row.sha256) for row in rows} == {row.size for row in rows}
    # Each of a series was given to the second parser, in whichever batch it was.
    kind = DeidentificationProof.Kind.SECOND_PARSER
    for proof, count in zip(transmittal.proofs.filter(kind=kind), (3, 2), strict=True):
        assert f"in {count} files" in proof.detail or "not installed" in proof.detail


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_text("no JSON\n")])
def test_what_nothing_is_told_of_is_made_again(scan, coordinator, dataset, spoil):
    transmittal, ready = inspected(scan, [a_slice(dataset, 1)], coordinator)
    spoil(ready / prepared.TOLD)
    worked(transmittal)
    assert len(in_archive(transmittal)) == 1


def test_what_was_written_before_the_machine_stopped_is_made_again(
    scan, coordinator, dataset, monkeypatch
):
    data = a_slice(dataset, 1)
    transmittal, ready = inspected(scan, [data], coordinator)
    with Parser() as parser:
        expected = parser.deidentify(data, preparing.policy_for(transmittal))
    # As long as it was, and empty, as a loss of power leaves files that nobody waited for.
    (path,) = made_ready(ready)
    path.write_bytes(bytes(path.stat().st_size))
    monkeypatch.setattr(prepared, "started", lambda: "another start")
    worked(transmittal)
    digest = hashlib.sha256(expected.dicom).hexdigest()
    assert in_archive(transmittal) == [(digest, expected.report)]


def test_what_a_killed_release_has_moved_is_not_made_again(scan, coordinator, dataset):
    transmittal, ready = inspected(scan, [a_slice(dataset, n) for n in (1, 2)], coordinator)
    (moved, _) = made_ready(ready)
    digest = hashlib.sha256(moved.read_bytes()).hexdigest()
    target = storage.archive.folder / digest[:2] / digest
    target.parent.mkdir(parents=True)
    moved.rename(target)
    kept = preparing.Ready(transmittal, preparing.making_for(transmittal))
    assert all(kept.of(file) for file in transmittal.files.all())
    worked(transmittal)
    assert digest in dict(in_archive(transmittal))


def test_what_was_made_under_another_policy_is_made_again(scan, coordinator, dataset):
    transmittal, _ = inspected(scan, [a_slice(dataset, 1)], coordinator)
    with factories.framed():
        Trial.objects.update(sponsor="Another sponsor")
    worked(transmittal)
    ((sha256, _),) = in_archive(transmittal)
    found = pydicom.dcmread(io.BytesIO(storage.archive.read(sha256)))
    assert found.ClinicalTrialSponsorName == "Another sponsor"


def test_what_waits_for_a_person_is_not_made_ready(scan, coordinator, dataset):
    burned = a_slice(dataset, 1, BurnedInAnnotation="YES")
    transmittal, ready = inspected(scan, [burned, a_slice(dataset, 2)], coordinator)
    assert transmittal.state == State.QUARANTINED
    assert len(made_ready(ready)) == 1
    inspection.decide(
        transmittal,
        release=False,
        reason="text in it",
        by=factories.make_user(Role.DATA_MANAGER, trial=scan.patient.trial),
    )
    worked(transmittal)
    assert not ready.exists()


def test_pixels_are_read_where_release_found_them(scan, coordinator, dataset):
    sent(scan, [a_slice(dataset, n) for n in (1, 2)], coordinator)
    one, instance = Series.objects.get(), Instance.objects.last()
    # Twenty values of two bytes end the file.
    assert (instance.pixel_offset, instance.pixel_length) == (instance.size - 40, 40)
    assert instance.transfer_syntax == "1.2.840.10008.1.2.1"

    def stored(**changed) -> int:
        with audit.action("changed", actor=coordinator, reason="test"):
            Instance.objects.filter(pk=instance.pk).update(**changed)
        return volumes.pixel(one, (1, 0, 0)).stored

    assert volumes.pixel(one, (1, 0, 0)).stored == 2
    # Two bytes before the values ends their length, whose upper half is zero.
    assert stored(pixel_offset=instance.pixel_offset - 2) == 0
    # Images of an earlier release have no place, and are walked through.
    assert stored(pixel_offset=None, pixel_length=None, transfer_syntax="") == 2


def test_identified_originals_are_gone_after_release(scan, coordinator, dataset):
    transmittal = sent(scan, [a_slice(dataset, n) for n in (1, 2)], coordinator)
    digests = list(transmittal.files.values_list("sha256", flat=True))
    assert len(digests) == 2
    assert not any(storage.quarantine.has(digest) for digest in digests)


def test_what_is_no_image_is_listed_and_the_images_go_on(scan, coordinator, dataset):
    files = [a_slice(dataset, 1), a_slice(dataset, 2), b"a letter", a_slice(dataset, 3)[:900]]
    transmittal = sent(scan, files, coordinator)
    found = transmittal.files.order_by("position").values_list("state", "code")
    assert transmittal.state == State.ASSEMBLED
    assert list(found)[:3] == [("released", ""), ("released", ""), ("rejected", "not-dicom")]
    assert found[3][0] == FileState.REJECTED


def test_nothing_but_refused_files_is_a_rejected_transmittal(scan, coordinator):
    transmittal = sent(scan, [b"one", b"two"], coordinator)
    assert (transmittal.state, transmittal.code) == (State.REJECTED, "not-dicom")


@pytest.mark.requirement("R81")
def test_burned_in_text_holds_everything_until_a_person_decides(site, scan, coordinator, dataset):
    files = [a_slice(dataset, 1), a_slice(dataset, 2, BurnedInAnnotation="YES")]
    transmittal = sent(scan, files, coordinator)
    assert (transmittal.state, transmittal.code) == (State.QUARANTINED, "burned-in-annotation")
    assert not Instance.objects.filter(series__transmittal=transmittal).exists()
    manager = factories.make_user(Role.DATA_MANAGER, trial=site.trial)
    inspection.decide(transmittal, release=True, reason="Only a scale bar is drawn.", by=manager)
    assert worked(transmittal).state == State.ASSEMBLED


@pytest.mark.requirement("R83")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ([{"BurnedInAnnotation": "YES"}, {"ImageType": ["DERIVED", "SECONDARY"]}],
         "burned-in-annotation"),
        ([{"Modality": "MR"}, {"Rows": 0}], "dimensions-implausible"),
    ],
    ids=["doubts", "refusals"],
)  # fmt: skip
def test_of_several_reasons_one_is_told_whatever_was_sent_first(
    site, coordinator, dataset, changes, code
):
    found = set()
    for order in (changes, changes[::-1]):
        scan = factories.make_scan(factories.make_enrolled(site, by=coordinator), by=coordinator)
        files = [a_slice(dataset, n, **given) for n, given in enumerate(order)]
        transmittal = sent(scan, files, coordinator)
        found.add((transmittal.code, transmittal.message))
    assert {code for code, _ in found} == {code}
    assert len(found) == 1


@pytest.mark.requirement("R78")
def test_slices_of_two_patients_are_held(scan, coordinator, dataset):
    files = [a_slice(dataset, 1), a_slice(dataset, 2, PatientID="MRN-0816")]
    transmittal = sent(scan, files, coordinator)
    assert (transmittal.state, transmittal.code) == (State.QUARANTINED, "several-patients")
    assert Query.objects.get(rule=inspection.OF_WHOM).state == Query.State.OPEN
    manager = factories.make_user(Role.DATA_MANAGER, trial=scan.patient.trial)
    with pytest.raises(Refused) as refusal:
        inspection.decide(transmittal, release=True, reason="looks right", by=manager)
    assert refusal.value.code == "not-releasable"
    sent(scan, [a_slice(dataset, 1)], coordinator)
    assert Query.objects.get(rule=inspection.OF_WHOM).state == Query.State.CLOSED


@pytest.mark.requirement("R78")
def test_images_under_the_id_of_another_patient_are_held(site, scan, coordinator, dataset):
    sent(scan, [a_slice(dataset, 1)], coordinator)
    other = factories.make_scan(factories.make_enrolled(site, by=coordinator), by=coordinator)
    swapped = sent(other, [a_slice(dataset, 2)], coordinator)
    assert (swapped.state, swapped.code) == (State.QUARANTINED, "patient-known-otherwise")
    assert Query.objects.get(rule=inspection.OF_WHOM).patient == other.patient


@pytest.mark.requirement("R78")
def test_a_lesser_doubt_hides_no_greater_one(site, scan, coordinator, dataset):
    sent(scan, [a_slice(dataset, 1)], coordinator)
    other = factories.make_scan(factories.make_enrolled(site, by=coordinator), by=coordinator)
    # Of two studies, which a person may let through, and of another patient's scan.
    mine = {"PatientID": "MRN-0999"}
    files = [a_slice(dataset, 1, **mine), a_slice(dataset, 2, StudyInstanceUID="1.9", **mine)]
    assert sent(other, files, coordinator).code == "image-known-otherwise"


@pytest.mark.requirement("R78")
def test_what_came_to_be_known_meanwhile_is_looked_at_before_a_release(
    site, scan, coordinator, dataset
):
    other = factories.make_scan(factories.make_enrolled(site, by=coordinator), by=coordinator)
    marked = a_slice(dataset, 1, BurnedInAnnotation="YES")
    first, second = sent(scan, [marked], coordinator), sent(other, [marked], coordinator)
    manager = factories.make_user(Role.DATA_MANAGER, trial=site.trial)
    inspection.decide(first, release=True, reason="Only a scale bar.", by=manager)
    with pytest.raises(Refused, match="another patient") as refusal:
        inspection.decide(second, release=True, reason="Only a scale bar.", by=manager)
    assert refusal.value.code == "not-releasable"


def test_who_is_screened_again_keeps_the_id_of_the_hospital(site, scan, coordinator, dataset):
    sent(scan, [a_slice(dataset, 1)], coordinator)
    again = factories.make_enrolled(site, by=coordinator)
    with factories.framed():
        Patient.objects.filter(pk=again.pk).update(rescreening_of=scan.patient)
    later = factories.make_scan(again, by=coordinator)
    assert sent(later, [a_slice(dataset, 2)], coordinator).state == State.ASSEMBLED


def test_slices_that_come_later_join_their_series_and_it_is_measured_again(
    scan, coordinator, dataset
):
    slices = [a_slice(dataset, n) for n in (1, 2, 3, 4, 5)]
    first = sent(scan, slices[:3], coordinator)
    second = sent(scan, slices, coordinator)
    assert (second.state, second.message) == (State.ASSEMBLED, "")
    series = Series.objects.get(imaging_study__scheduled_scan=scan)
    assert series.assembly["shape"][0] == 5
    assert Job.objects.filter(kind="imaging.quantify", arguments__series=series.pk).count() == 2
    shown = selectors.with_standing([first, second])
    assert [row.standing.series for row in shown] == [[series.pk], [series.pk]]


def test_slices_that_break_the_series_take_its_number_back(scan, coordinator, dataset):
    sent(scan, [a_slice(dataset, n) for n in (1, 2, 3)], coordinator)
    series = Series.objects.get(imaging_study__scheduled_scan=scan)
    with factories.framed():
        run = Quantification.objects.create(series=series, run=1, status="computed")
    sent(scan, [a_slice(dataset, 9)], coordinator)
    series.refresh_from_db()
    run.refresh_from_db()
    assert series.state == Series.State.REFUSED
    assert not run.is_current


def test_what_later_slices_break_is_broken_for_all_who_brought_it(scan, coordinator, dataset):
    first = sent(scan, [a_slice(dataset, n) for n in (1, 2, 3)], coordinator)
    series = Series.objects.get(imaging_study__scheduled_scan=scan)
    with factories.framed():
        Series.objects.filter(pk=series.pk).update(state=Series.State.QUANTIFIED)
        Transmittal.objects.filter(pk=first.pk).update(state=State.QUANTIFIED)
    assert series.findings.filter(is_current=True).exists()
    second = sent(scan, [a_slice(dataset, 4, FrameOfReferenceUID="1.2.10")], coordinator)
    series.refresh_from_db()
    first.refresh_from_db()
    assert (series.state, series.code) == (Series.State.REFUSED, "mixed-frame-of-reference")
    assert series.assembly == {}
    assert not series.findings.filter(is_current=True).exists()
    assert first.state == second.state == State.ASSEMBLED
    assert (
        first.message
        == second.message
        == ("No PET series could be assembled; see the series for the reason.")
    )
    asked = Query.objects.get(rule="mixed-frame-of-reference", state="open")
    assert "Send each as a series of its own" in asked.text


def test_an_overview_among_the_series_asks_nobody(scan, coordinator, dataset):
    scout = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"], "SeriesInstanceUID": "1.2.77"}
    files = [a_slice(dataset, n) for n in (1, 2)] + [a_slice(dataset, 9, **scout)]
    transmittal = sent(scan, files, coordinator)
    assert transmittal.state == State.ASSEMBLED
    overview = Series.objects.get(code="localizer")
    assert "nothing to do" in overview.message
    assert not Query.objects.filter(rule="localizer").exists()


@pytest.mark.requirement("R78")
def test_pet_and_ct_under_one_series_are_let_through_by_nobody(scan, site, coordinator, dataset):
    ct = {"Modality": "CT", "SOPClassUID": CTImageStorage}
    transmittal = sent(scan, [a_slice(dataset, 1), a_slice(dataset, 2, **ct)], coordinator)
    assert (transmittal.state, transmittal.code) == (State.QUARANTINED, "two-modalities")
    assert not Series.objects.filter(transmittal=transmittal).exists()
    manager = factories.make_user(Role.DATA_MANAGER, trial=site.trial)
    with pytest.raises(Refused, match="export each as a series of its own"):
        inspection.decide(transmittal, release=True, reason="Both are hers.", by=manager)
    assert sent(scan, [a_slice(dataset, 1)], coordinator).state == State.ASSEMBLED
    assert sent(scan, [a_slice(dataset, 2, **ct)], coordinator).code == "two-modalities"


@pytest.mark.parametrize("code", Series.GONE)
def test_later_slices_do_not_bring_back_a_series_that_is_gone(scan, coordinator, dataset, code):
    sent(scan, [a_slice(dataset, n) for n in (1, 2)], coordinator)
    series = Series.objects.get(imaging_study__scheduled_scan=scan)
    with factories.framed():
        Series.objects.filter(pk=series.pk).update(state=Series.State.REFUSED, code=code)
    late = sent(scan, [a_slice(dataset, 3)], coordinator)
    series.refresh_from_db()
    assert (late.state, late.code) == (State.QUARANTINED, code)
    assert (series.state, series.code) == (Series.State.REFUSED, code)
    assert series.instances.count() == 2
    assert not inspection.may_be_released(late)


def test_two_images_under_one_uid_are_let_through_by_nobody(site, scan, coordinator, dataset):
    one, other = a_slice(dataset, 1), a_slice(dataset, 1, SeriesDescription="again")
    transmittal = sent(scan, [one, other], coordinator)
    assert (transmittal.state, transmittal.code) == (State.QUARANTINED, "image-known-otherwise")
    manager = factories.make_user(Role.DATA_MANAGER, trial=site.trial)
    with pytest.raises(Refused) as refusal:
        inspection.decide(transmittal, release=True, reason="Both are of this scan.", by=manager)
    assert refusal.value.code == "not-releasable"
    # Release looks once more, whoever let them through.
    with factories.framed():
        transmittal.files.update(state=FileState.ACCEPTED)
        Transmittal.objects.filter(pk=transmittal.pk).update(state=State.INSPECTED)
        jobs.enqueue("imaging.release", actor=manager, transmittal=transmittal.pk)
    held = worked(transmittal)
    assert (held.state, held.code) == (State.QUARANTINED, "image-twice")
    assert not Instance.objects.filter(series__transmittal=transmittal).exists()
    inspection.decide(transmittal, release=False, reason="Sent twice by mistake.", by=manager)
    assert worked(transmittal).state == State.REJECTED


def test_what_was_refused_does_not_stay_in_quarantine(site, scan, coordinator, dataset):
    refused = sent(scan, [b"a letter"], coordinator)
    files = [a_slice(dataset, 1), a_slice(dataset, 2, PatientID="MRN-0816")]
    held = sent(scan, files, coordinator)
    digests = list(held.files.values_list("sha256", flat=True))
    assert all(storage.quarantine.has(digest) for digest in digests)
    manager = factories.make_user(Role.DATA_MANAGER, trial=site.trial)
    inspection.decide(held, release=False, reason="Two people's images.", by=manager)
    worked(held)
    digests += refused.files.values_list("sha256", flat=True)
    assert not any(storage.quarantine.has(digest) for digest in digests)


def test_nothing_is_received_after_withdrawal(scan, coordinator, dataset):
    transmittal = receiving.open_transmittal(scan, by=coordinator)
    with factories.framed():
        Patient.objects.filter(pk=scan.patient_id).update(state=Patient.State.WITHDRAWN)
    transmittal = Transmittal.objects.get(pk=transmittal.pk)
    file = SimpleUploadedFile("slice", a_slice(dataset, 1))
    with pytest.raises(Refused, match="withdrew"):
        receiving.receive(transmittal, files=[file], by=coordinator)


def test_what_waits_of_a_patient_goes_with_what_was_made_ready_of_it(scan, coordinator, dataset):
    transmittal, ready = inspected(scan, [a_slice(dataset, 1)], coordinator)
    assert list(ready.iterdir())
    withdrawals.record(
        scan.patient,
        extent="destroy",
        initiative="patient",
        withdrawn_at=timezone.localdate().isoformat(),
        text="no more",
        by=coordinator,
    )
    (job,) = destruction.order_due()
    jobs.run(job.pk)
    transmittal.refresh_from_db()
    assert (transmittal.state, transmittal.code) == (State.REJECTED, Series.DESTROYED)
    assert not ready.exists()
    assert not storage.quarantine.has(transmittal.files.get().sha256)
    jobs.run(Job.objects.get(kind="imaging.release").pk)
    assert not Instance.objects.exists()


def test_what_is_destroyed_while_it_is_released_leaves_nothing(
    scan, coordinator, dataset, monkeypatch
):
    transmittal, _ = inspected(scan, [a_slice(dataset, 1)], coordinator)
    written = []

    def destroyed(released):
        written.extend(one.sha256 for one in released)
        with factories.framed():
            Transmittal.objects.filter(pk=transmittal.pk).update(state=State.REJECTED)
        return has_two_modalities(released)

    has_two_modalities = release._has_two_modalities
    monkeypatch.setattr(release, "_has_two_modalities", destroyed)
    jobs.run(Job.objects.get(kind="imaging.release").pk)
    transmittal.refresh_from_db()
    assert (transmittal.state, Instance.objects.count()) == (State.REJECTED, 0)
    assert len(written) == 1
    assert not storage.archive.has(written[0])
