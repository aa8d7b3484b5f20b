"""Segmentation and report of a signed read, opened by the programs that others open them with.

Two hot blocks of 4 x 4 x 4 voxels of 4 x 4 x 3 mm. The reader grows the first from a click, accepts
it as a lesion of the liver, and excludes the second as spleen.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from functools import partial

import highdicom as hd
import numpy as np
import pytest
import SimpleITK

from imaging.derived_objects import written
from imaging.models import DicomObject, Quantification, Read, Series
from imaging.reading_codes import EXCLUDED, VISUAL_POSITIVITY
from imaging.selectors import reads as selecting
from imaging.services import object_writing, objects, read_objects, read_results, reads, regions
from imaging.value_map import KIND as VALUE_MAP
from tests import factories, records
from tests.imaging.conftest import scan_of_its_day
from tests.imaging.test_dicom_objects import ROOT, at, dataset_of, dcmqi, file_of, groups, told
from tests.imaging.test_dicomweb_reading import values
from tests.imaging.test_placing import MANUAL
from tests.test_api import logged_in
from trials.models import Job, Membership, Site, User
from trials.roles import Role
from trials.segmentation_methods import placed
from trials.services import jobs

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("storage_as_kept")]

BLOCKS = ((4, 10, 10), (6, 18, 18))
REASON = "Even uptake of the whole organ"
GROWN = "Run 1, read {}, lesion 1"


@dataclass
class Scene:
    run: Quantification
    reader: User
    read: Read
    made: dict[str, DicomObject]


@pytest.fixture(scope="module")
def arranged(kept) -> Read:
    site = factories.make_site(factories.make_fdg_trial())
    by = records.everyone(site.trial)
    scan = scan_of_its_day(site, by=by)
    run = records.make_measured(scan, by=by, blocks=BLOCKS, frame="1.3.9")
    reader = factories.make_user(Role.READER, trial=site.trial, site=site)
    regions.place(run, kind="blood_pool", centre_mm=(60.0, 60.0, 9.0), radius_mm=6.0, by=reader)
    read = signed(run, reader)
    worked()
    return read


@pytest.fixture
def scene(arranged, db) -> Scene:
    read = Read.objects.get(pk=arranged.pk)
    made = {one.kind: one for one in read.dicom_objects.all()}
    return Scene(read.quantification, read.reader, read, made)


@pytest.fixture
def pet_site(scene) -> Site:
    return scene.run.series.imaging_study.scheduled_scan.patient.site


@pytest.fixture
def monitor(pet_site) -> User:
    return factories.make_user(Role.MONITOR, trial=pet_site.trial, site=pet_site)


def signed(run: Quantification, reader: User, **why) -> Read:
    read = reads.open_read(run.series, by=reader, **why)
    row = reads.grow(read, by=reader, voxel=(5, 11, 11), instead_of=1)
    reads.decide(row, by=reader, decision="accepted", region="liver", positivity="positive")
    second = selecting.rows_of(read)[1]
    reads.decide(second, by=reader, decision="excluded", organ="spleen", reason=REASON)
    reads.sign(read, by=reader, password=factories.PASSWORD)
    return Read.objects.get(pk=read.pk)


def worked() -> None:
    handlers = {objects.KIND: object_writing.write, objects.KIND_OF_READ: read_objects.write}
    for job in Job.objects.filter(kind__in=handlers, state=Job.State.QUEUED).order_by("pk"):
        handlers[job.kind](jobs.claim(job.pk))


def test_dcmqi_reads_the_grown_lesion_voxel_by_voxel(scene, tmp_path):
    dcmqi(
        "segimage2itkimage",
        *("--inputDICOM", file_of(scene.made["SEG"])),
        *("--outputDirectory", str(tmp_path)),
        *("-t", "nrrd"),
    )
    image = SimpleITK.ReadImage(str(tmp_path / "1.nrrd"))
    places = [
        image.TransformIndexToPhysicalPoint([int(n) for n in at[::-1]])
        for at in np.argwhere(SimpleITK.GetArrayFromImage(image))
    ]
    block = [
        (4.0 * n, 4.0 * m, 3.0 * k)
        for k in range(4, 8)
        for m in range(10, 14)
        for n in range(10, 14)
    ]
    assert np.allclose(places, block)
    said = json.loads((tmp_path / "meta.json").read_text())
    ((segment,),) = said["segmentAttributes"]
    assert segment["SegmentAlgorithmType"] == "SEMIAUTOMATIC"
    assert not (tmp_path / "2.nrrd").exists()


def test_dcmqi_reads_the_numbers_that_were_signed(scene, tmp_path):
    report = tmp_path / "report.json"
    where = ("--inputDICOM", file_of(scene.made["SR"]), "--outputMetadata", str(report))
    dcmqi("tid1500reader", *where)
    said = json.loads(report.read_text())
    (lesion,) = [one for one in said["Measurements"] if one.get("ReferencedSegment")]
    assert lesion["segmentationSOPInstanceUID"] == scene.made["SEG"].sop_instance_uid
    assert lesion["FindingSite"]["CodeMeaning"] == "Liver"
    grown = selecting.rows_of(scene.read)[0].grown
    found = [float(one["value"]) for one in lesion["measurementItems"][:5]]
    signed_numbers = [
        grown.suvmax, grown.suvmean, grown.suvpeak, grown.volume_ml, grown.total_uptake
    ]  # fmt: skip
    assert found == pytest.approx(signed_numbers, rel=1e-9)
    # 64 voxels of 4 x 4 x 3 mm; SUV 20 000 * 2.5 * 70 000 / (370e6 * 2^(-3600/6586.2)).
    assert found[3] == pytest.approx(3.072)
    assert found[0] == pytest.approx(13.8170, rel=1e-4)


def test_the_checker_finds_no_error(scene, dicom3tools):
    for one in scene.made.values():
        said = told(dicom3tools, file_of(one))
        assert "Error" not in said, said


def test_a_shape_that_the_reader_placed_is_written_as_it_was_measured(
    pet_site, everyone, scan, fdg, dicom3tools
):
    with factories.framed():
        scan.planned_scan.segmentation = MANUAL
        scan.planned_scan.save(update_fields=["segmentation"])
    run = records.make_measured(scan, by=everyone, frame="1.3.9")
    reader = factories.make_user(Role.READER, trial=pet_site.trial, site=pet_site)
    read = reads.open_read(run.series, by=reader)
    method = placed(MANUAL, shape="ellipsoid", size_mm=(24, 30, 30))
    row = reads.grow(read, by=reader, voxel=(5, 11, 11), method=method)
    reads.decide(row, by=reader, decision="accepted", region="liver")
    reads.sign(read, by=reader, password=factories.PASSWORD)
    worked()
    made = {one.kind: one for one in read.dicom_objects.all()}
    seg = dataset_of(made["SEG"])
    voxels = seg.pixel_array.sum()
    assert (voxels, row.grown.voxel_count) == (64, 64)
    (algorithm,) = seg.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence
    assert "SUV ≥ 4 g/mL in a placed ellipsoid of 24 × 30 × 30 mm" in algorithm.AlgorithmParameters
    for one in made.values():
        said = told(dicom3tools, file_of(one))
        assert "Error" not in said, said


def test_the_report_says_what_the_reader_said_and_not_who_it_was(scene):
    report = dataset_of(scene.made["SR"])
    content = hd.sr.srread(file_of(scene.made["SR"])).content
    (excluded,) = content.get_image_measurement_groups(finding_type=EXCLUDED)
    assert excluded.tracking_identifier == "Run 1, lesion 2"
    assert [one.value.meaning for one in excluded.finding_sites] == ["Spleen"]
    comments = [one.value for one in excluded[0].ContentSequence if one.name.value == "121106"]
    assert comments == [REASON]
    lesion = groups(scene.made["SR"])[GROWN.format(scene.read.pk)]
    (judged,) = lesion.get_qualitative_evaluations(name=VISUAL_POSITIVITY)
    assert (judged.name.value, judged.value.meaning) == ("VISPOS", "Positive")
    ratio = lesion.get_measurements()[-1]
    # 20 000 in the lesion, 1000 around it.
    assert (ratio.name.value, ratio.value) == ("126039", pytest.approx(20))
    names = [str(one.value) for one in report.iterall() if one.keyword == "PersonName"]
    assert names == [f"READER^{scene.reader.pk}"]
    assert scene.reader.username not in str(report)


def test_the_objects_of_the_run_stay_beside_them(scene):
    ours = scene.run.dicom_objects.filter(read=None, superseded_at=None)
    assert sorted(one.kind for one in ours) == ["RWV", "SEG", "SR"]
    (segment_of_run, _) = dataset_of(ours.get(kind="SEG")).SegmentSequence
    (segment_of_read,) = dataset_of(scene.made["SEG"]).SegmentSequence
    # Outlined anew it is tracked by itself.
    assert segment_of_run.TrackingUID != segment_of_read.TrackingUID


def test_a_lesion_that_is_accepted_as_outlined_is_tracked_as_that_of_the_run(scene):
    again = reads.open_read(scene.run.series, by=scene.reader, reason="second look")
    first, second = selecting.rows_of(again)
    reads.decide(first, by=scene.reader, decision="excluded", organ="liver", reason=REASON)
    reads.decide(second, by=scene.reader, decision="accepted")
    reads.sign(again, by=scene.reader, password=factories.PASSWORD)
    worked()
    (segment,) = dataset_of(again.dicom_objects.get(kind="SEG")).SegmentSequence
    of_run = dataset_of(scene.run.dicom_objects.get(kind="SEG", read=None)).SegmentSequence
    assert (segment.SegmentNumber, segment.SegmentLabel) == (1, "Lesion 2")
    assert segment.TrackingUID == of_run[1].TrackingUID
    # The first read ended, and so did what was written of it.
    assert scene.read.dicom_objects.filter(superseded_at=None).count() == 0
    assert again.dicom_objects.filter(superseded_at=None).count() == 2


def test_what_was_written_of_a_read_ends_with_it(scene):
    series = scene.run.series
    with factories.framed():
        Series.objects.filter(pk=series.pk).update(counts=False)
        read_results.end([series.pk])
    assert not scene.read.dicom_objects.filter(superseded_at=None).exists()
    # Written only now, it is kept as ended.
    with factories.framed():
        objects.follow_read(scene.read, by=scene.reader)
    worked()
    assert not scene.read.dicom_objects.filter(superseded_at=None).exists()
    assert scene.run.dicom_objects.filter(superseded_at=None).count() == 3


def test_the_same_read_gives_the_same_bytes(scene):
    said = selecting.rows_of(scene.read)
    row = object_writing.load(scene.run.pk)
    found = object_writing.found_of(row, partial(read_objects.outlines_of, said))
    made = read_objects.made_of(scene.read, row, said, found)
    assert VALUE_MAP not in [ds.Modality for ds in made]
    digests = [hashlib.sha256(written(ds)).hexdigest() for ds in made]
    assert digests == [scene.made[kind].sha256 for kind in ("SEG", "SR")]


def test_no_reader_is_shown_what_another_read(scene, pet_site, monitor):
    trial = pet_site.trial
    both = factories.make_user(Role.READER, trial=trial, site=pet_site)
    with factories.framed():
        Membership.objects.create(
            user=both,
            trial=trial,
            site=pet_site,
            role=Role.MONITOR,
            starts_on=date(2026, 1, 1),
        )
    of_read = scene.made["SR"]
    reader, seeing = logged_in(both), logged_in(monitor)
    assert reader.get(at(scene.run, of_read)).status_code == 404
    assert seeing.get(at(scene.run, of_read)).status_code == 200
    study = scene.run.series.imaging_study.study_instance_uid
    kinds = [
        [values(one, "Modality")[0] for one in who.get(f"{ROOT}/studies/{study}/series").json()]
        for who in (reader, seeing)
    ]
    assert kinds == [["PT", "RWV", "SEG", "SR"], ["PT", "RWV", "SEG", "SR", "SEG", "SR"]]


def test_who_sees_no_findings_sees_the_objects_of_the_run_alone(scene, coordinator, client):
    client.force_login(coordinator)
    page = client.get(f"/series/{scene.run.series_id}/").content.decode()
    assert page.count(".dcm") == 3
    assert client.get(f"/objects/{scene.made['SEG'].pk}.dcm").status_code == 404


def test_the_page_of_the_series_has_them_for_who_sees_findings(scene, monitor, client):
    client.force_login(monitor)
    page = client.get(f"/series/{scene.run.series_id}/").content.decode()
    assert f"Report of the measurements of read {scene.read.pk}" in page
    response = client.get(f"/objects/{scene.made['SR'].pk}.dcm")
    assert f"read-{scene.read.pk}-SR" in response["Content-Disposition"]
