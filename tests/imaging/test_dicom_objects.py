"""Segmentation and report of a run, opened by the programs that others open them with."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
import SimpleITK

from imaging import geometry, lesion_segments, segmentation, segments, storage, value_map, volume
from imaging.derived_objects import ObjectError, Source, written
from imaging.headers import pet_header
from imaging.lesion_segments import Outline
from imaging.models import DicomObject, Quantification, ReferenceRegion, Series
from imaging.selectors import drawings
from imaging.services import destruction, object_writing, objects, regions
from reporting.services import storage_check
from tests import factories, records
from tests.imaging.conftest import scan_of_its_day
from tests.imaging.test_dicomweb_reading import ROOT, parts, values, whole
from tests.test_api import logged_in
from trials.models import Job, Site
from trials.roles import Role
from trials.services import jobs

pytestmark = pytest.mark.django_db

# The block of `records._slice`: planes, rows, columns.
BLOCK = (slice(4, 8), slice(10, 14), slice(10, 14))
PROGRAMS = Path(sys.executable).parent


@pytest.fixture(autouse=True)
def stores(storage_as_kept):
    pass


@pytest.fixture(scope="module")
def arranged(kept) -> Quantification:
    site = factories.make_site(factories.make_fdg_trial())
    by = records.everyone(site.trial)
    # No UID of it is that of a study.
    return records.make_measured(scan_of_its_day(site, by=by), by=by, frame="1.3.9")


@pytest.fixture
def run(arranged, db) -> Quantification:
    return Quantification.objects.get(pk=arranged.pk)


@pytest.fixture
def pet_site(run) -> Site:
    return run.series.imaging_study.scheduled_scan.patient.site


@pytest.fixture
def made(run) -> dict[str, DicomObject]:
    worked()
    return {one.kind: one for one in run.dicom_objects.all()}


def worked() -> None:
    for job in Job.objects.filter(kind=objects.KIND, state=Job.State.QUEUED):
        object_writing.write(jobs.claim(job.pk))


def dataset_of(one: DicomObject) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(storage.archive.read(one.sha256)))


def groups(one: DicomObject) -> dict[str, hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations]:
    """The measurement groups as highdicom reads them, by what tracks them."""
    report = hd.sr.srread(io.BytesIO(storage.archive.read(one.sha256)))
    found = report.content.get_volumetric_roi_measurement_groups()
    return {group.tracking_identifier: group for group in found}


def file_of(one: DicomObject) -> str:
    return str(storage.archive.path(one.sha256))


def told(*command: str) -> str:
    """What a program says of a file, and that it could read it."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def dcmqi(name: str, *arguments: str) -> str:
    return told(str(PROGRAMS / name), *arguments)


# What others read


def test_dcmqi_reads_the_lesion_voxel_by_voxel(made, tmp_path):
    dcmqi(
        "segimage2itkimage",
        *("--inputDICOM", file_of(made["SEG"])),
        *("--outputDirectory", str(tmp_path)),
        *("-t", "nrrd"),
    )
    image = SimpleITK.ReadImage(str(tmp_path / "1.nrrd"))
    assert np.allclose(image.GetSpacing(), (4, 4, 3))
    places = [
        image.TransformIndexToPhysicalPoint([int(n) for n in at[::-1]])
        for at in np.argwhere(SimpleITK.GetArrayFromImage(image))
    ]
    planes, rows, columns = (range(one.start, one.stop) for one in BLOCK)
    expected = [(4.0 * n, 4.0 * m, 3.0 * k) for k in planes for m in rows for n in columns]
    assert np.allclose(places, expected)
    said = json.loads((tmp_path / "meta.json").read_text())
    ((segment,),) = said["segmentAttributes"]
    assert (segment["labelID"], segment["SegmentLabel"]) == (1, "Lesion 1")
    assert segment["SegmentAlgorithmType"] == "AUTOMATIC"


def test_dcmqi_reads_the_numbers_of_the_record(run, made, tmp_path):
    report = tmp_path / "report.json"
    dcmqi("tid1500reader", "--inputDICOM", file_of(made["SR"]), "--outputMetadata", str(report))
    said = json.loads(report.read_text())
    (lesion,) = [one for one in said["Measurements"] if one.get("ReferencedSegment")]
    assert lesion["segmentationSOPInstanceUID"] == made["SEG"].sop_instance_uid
    assert lesion["SourceSeriesForImageSegmentation"] == run.series.series_instance_uid
    algorithm = lesion["measurementAlgorithmIdentification"]
    assert algorithm["AlgorithmName"] == "TrialTrace"
    assert algorithm["AlgorithmParameters"] == ["SUV ≥ 4 g/mL, at least 0.5 mL, 26-connected"]
    row = run.lesions.get()
    found = {
        (
            one["quantity"]["CodeValue"],
            one.get("derivationModifier", {}).get("CodeValue", ""),
            one["units"]["CodeValue"],
        ): float(one["value"])
        for one in lesion["measurementItems"]
    }
    # Codes as PS3.16 has them: SUVbw by maximum, mean and peak, metabolic volume, glycolysis.
    assert found == pytest.approx(
        {
            ("126401", "56851009", "g/ml{SUVbw}"): row.suvmax,
            ("126401", "373098007", "g/ml{SUVbw}"): row.suvmean,
            ("126401", "126031", "g/ml{SUVbw}"): row.suvpeak,
            ("126032", "", "ml"): row.volume_ml,
            ("126033", "", "g"): row.total_uptake,
        },
        rel=1e-9,
    )
    # 64 voxels of 4 x 4 x 3 mm.
    assert row.volume_ml == pytest.approx(3.072)


def test_the_checker_finds_no_error(made, dicom3tools):
    for one in made.values():
        said = told(dicom3tools, file_of(one))
        assert "Error" not in said, said


def test_the_peak_says_its_definition_and_lesions_say_who_tracks_them(made):
    group = groups(made["SR"])["Run 1, lesion 1"]
    peak = group.get_measurements()[2]
    assert (peak.derivation.meaning, peak.method.value) == ("Peak Value Within ROI", "0F91")
    (segment,) = dataset_of(made["SEG"]).SegmentSequence
    assert segment.TrackingUID == group.tracking_uid
    assert segment.SegmentationAlgorithmIdentificationSequence[0].AlgorithmVersion


def test_our_own_importer_reads_the_voxels_back(run, made):
    (found,) = segments.segmentation(dataset_of(made["SEG"])).regions
    canvas = drawings.canvas(run.series)
    mask = found.mask(canvas.grid, canvas.planes)
    expected = np.zeros(canvas.grid.shape, bool)
    expected[BLOCK] = True
    assert np.array_equal(mask, expected)


# Nothing but what was released, and always the same


def test_every_reference_is_to_released_images_and_every_date_theirs(run, made):
    images = set(run.series.instances.values_list("sop_instance_uid", flat=True))
    for one in made.values():
        ds = dataset_of(one)
        assert ds.StudyInstanceUID == run.series.imaging_study.study_instance_uid
        assert ds.PatientID == run.series.imaging_study.scheduled_scan.patient.identifier
        referenced = {
            element.value
            for element in ds.iterall()
            if element.keyword == "ReferencedSOPInstanceUID"
        }
        assert referenced & images
        assert referenced <= images | {made["SEG"].sop_instance_uid, made["RWV"].sop_instance_uid}
        days = {element.value for element in ds.iterall() if element.VR == "DA" and element.value}
        instants = {element.value[:8] for element in ds.iterall() if element.VR == "DT"}
        assert days | instants == {"20260301"}


def test_the_same_run_gives_the_same_bytes(run, made):
    found = object_writing.found_of(run, object_writing.outlines_of)
    again = object_writing.made_of(found, object_writing.rows_of(run, found.grid))
    digests = [hashlib.sha256(written(ds)).hexdigest() for ds in again]
    assert digests == [made[kind].sha256 for kind in ("RWV", "SEG", "SR")]


def test_a_job_done_twice_writes_nothing_twice(run, made):
    with factories.framed():
        objects.order(run, by=jobs.system_user())
    worked()
    assert run.dicom_objects.count() == 3


def test_a_new_run_has_its_own_and_the_old_ones_stay(run, made, everyone):
    with factories.framed():
        job = jobs.enqueue("imaging.quantify", actor=everyone, series=run.series_id)
    jobs.run(job.pk)
    worked()
    uids = list(DicomObject.objects.values_list("sop_instance_uid", flat=True))
    assert len(set(uids)) == len(uids) == 6
    assert all(storage.archive.has(one.sha256) for one in made.values())
    standing = DicomObject.objects.filter(superseded_at=None)
    assert {one.quantification.run for one in standing} == {2}


def test_a_region_that_a_reader_places_is_in_a_report_of_its_own(run, made, everyone):
    regions.place(
        run,
        kind=ReferenceRegion.Kind.BLOOD_POOL,
        centre_mm=(20.0, 20.0, 15.0),
        radius_mm=9.0,
        by=everyone,
    )
    worked()
    assert run.dicom_objects.filter(kind="SEG").count() == 1
    old, new = run.dicom_objects.filter(kind="SR")
    assert (old.sha256, new.sop_instance_uid) != (new.sha256, old.sop_instance_uid)
    found = groups(new)
    region = found["Mediastinal blood pool, placed by a reader"]
    placed = run.reference_regions.get(kind="blood_pool")
    assert region.get_measurements()[0].value == pytest.approx(placed.suvmean)
    corners = np.reshape(region.roi.graphic_data, (-1, 3))
    assert np.allclose(corners.mean(axis=0), (20, 20, 15))
    assert np.allclose(np.linalg.norm(corners - (20, 20, 15), axis=1), 9)
    ratio = found["Run 1, lesion 1"].get_measurements()[-1]
    assert (ratio.name.value, ratio.unit.value) == ("126039", "{ratio}")
    assert ratio.value == pytest.approx(run.lesions.get().ratios.get(region=placed).tbr)


def test_outlines_that_are_not_those_of_the_record_are_refused(run):
    with factories.framed():
        lesion = run.lesions.get()
        lesion.voxel_count -= 1
        lesion.save(update_fields=["voxel_count"])
    with pytest.raises(ObjectError) as refusal:
        worked()
    assert refusal.value.code == "outlines-differ"
    assert not run.dicom_objects.exists()


def test_a_run_that_is_overtaken_is_left_to_the_next(run):
    with factories.framed():
        Quantification.objects.filter(pk=run.pk).update(is_current=False)
    worked()
    assert not run.dicom_objects.exists()


# Who may have them, and how long


def in_study(run: Quantification, *rest: str) -> str:
    return "/".join([ROOT, "studies", run.series.imaging_study.study_instance_uid, *rest])


def at(run: Quantification, one: DicomObject, *rest: str) -> str:
    return in_study(
        run, "series", one.series_instance_uid, "instances", one.sop_instance_uid, *rest
    )


def test_dicomweb_lists_them_beside_the_images(run, made, coordinator):
    client = logged_in(coordinator)
    (study,) = client.get(f"{ROOT}/studies?ModalitiesInStudy=SEG").json()
    assert values(study, "ModalitiesInStudy") == ["PT", "RWV", "SEG", "SR"]
    assert values(study, "NumberOfStudyRelatedInstances") == [records.PLANES + 3]
    listed = client.get(in_study(run, "series")).json()
    assert [values(one, "Modality") for one in listed] == [["PT"], ["RWV"], ["SEG"], ["SR"]]
    assert values(listed[2], "SeriesDescription") == ["Lesions, run 1"]
    (third,) = client.get(f"{ROOT}/instances?limit=1&offset={records.PLANES + 2}").json()
    assert values(third, "SOPInstanceUID") == [made["SR"].sop_instance_uid]
    for query, count in {"Modality=SR": 1, "Modality=CT": 0, "StudyDate=20260301": 4}.items():
        assert len(client.get(f"{ROOT}/series?{query}").json()) == count
    assert client.get(f"{ROOT}/series?SeriesDescription=Lesion*").json() == listed[2:]
    (only,) = client.get(f"{ROOT}/instances?SOPInstanceUID={made['SEG'].sop_instance_uid}").json()
    assert values(only, "SOPClassUID") == [pydicom.uid.SegmentationStorage]


def test_dicomweb_sends_them_by_each_address(run, made, coordinator):
    client = logged_in(coordinator)
    for one in made.values():
        assert [hashlib.sha256(part).hexdigest() for part in parts(client.get(at(run, one)))] == [
            one.sha256
        ]
        (header,) = json.loads(whole(client.get(at(run, one, "metadata"))))
        assert header["00080018"]["Value"] == [one.sop_instance_uid]
    sent = [hashlib.sha256(part).hexdigest() for part in parts(client.get(in_study(run)))]
    assert sent[-3:] == [made[kind].sha256 for kind in ("RWV", "SEG", "SR")]
    assert len(sent) == records.PLANES + 3
    answer = client.get(at(run, made["SEG"], "rendered"))
    assert (answer.status_code, answer.json()["code"]) == (409, "no-picture")


def test_who_sees_images_alone_finds_no_numbers(run, made, pet_site):
    technologist = factories.make_user(Role.TECHNOLOGIST, trial=pet_site.trial, site=pet_site)
    client = logged_in(technologist)
    listed = client.get(in_study(run, "series")).json()
    assert [values(one, "Modality") for one in listed] == [["PT"]]
    assert len(parts(client.get(in_study(run)))) == records.PLANES
    assert client.get(at(run, made["SR"])).status_code == 403
    elsewhere = factories.make_site(factories.make_trial())
    stranger = factories.make_user(Role.COORDINATOR, trial=elsewhere.trial, site=elsewhere)
    assert logged_in(stranger).get(at(run, made["SR"])).status_code == 404


def test_the_page_of_the_series_lists_them_and_gives_the_files(run, made, coordinator, client):
    client.force_login(coordinator)
    page = client.get(f"/series/{run.series_id}/").content.decode()
    for one in made.values():
        assert f"/objects/{one.pk}.dcm" in page
        response = client.get(f"/objects/{one.pk}.dcm")
        assert (response.status_code, response["Content-Type"]) == (200, "application/dicom")
        assert hashlib.sha256(response.content).hexdigest() == one.sha256
        assert "attachment" in response["Content-Disposition"]


def test_they_go_with_the_images_of_the_patient(run, made, coordinator, client):
    patient = run.series.imaging_study.scheduled_scan.patient
    with factories.framed():
        job = jobs.enqueue("imaging.destroy", actor=jobs.system_user(), patient=patient.pk)
    destruction.destroy(jobs.claim(job.pk))
    assert not any(storage.archive.has(one.sha256) for one in made.values())
    client.force_login(coordinator)
    assert client.get(f"/objects/{made['SR'].pk}.dcm").status_code == 410
    assert logged_in(coordinator).get(at(run, made["SR"])).status_code == 410


def test_what_ends_after_the_images_went_leaves_no_file(run, monkeypatch):
    kept = storage.archive.write

    def destroyed_meanwhile(store, chunks):
        with factories.framed():
            Series.objects.filter(pk=run.series_id).update(code=Series.DESTROYED)
        return kept(chunks)

    with monkeypatch.context() as patched:
        patched.setattr(storage.Store, "write", destroyed_meanwhile)
        before = {entry.name for entry in storage.archive.entries()}
        job = Job.objects.get(kind=objects.KIND)
        object_writing.write(jobs.claim(job.pk))
    assert {entry.name for entry in storage.archive.entries()} == before
    assert not run.dicom_objects.exists()


def test_fsck_looks_at_them(run, made):
    assert list(storage_check.check(is_quick=True)) == []
    storage.archive.remove(made["SR"].sha256)
    (finding,) = storage_check.check(is_quick=True)
    assert (finding.kind, finding.name) == ("missing", made["SR"].sha256)


def test_what_an_earlier_release_did_not_write_is_ordered_once(run):
    Job.objects.filter(kind=objects.KIND).update(kind="imaging.of-another")
    (job,) = objects.order_due()
    assert job.arguments == {"quantification": run.pk, "form": objects.FORM}
    assert objects.order_due() == []
    worked()
    assert objects.order_due() == []


# The map from stored values to SUV


def test_the_map_gives_the_suv_of_the_record(run, made):
    ds = dataset_of(made["RWV"])
    (item,) = ds.ReferencedImageRealWorldValueMappingSequence
    images = [one.ReferencedSOPInstanceUID for one in item.ReferencedImageSequence]
    kept = run.series.instances.values_list("sop_instance_uid", flat=True)
    assert images == list(kept)
    (line,) = item.RealWorldValueMappingSequence
    unit = line.MeasurementUnitsCodeSequence[0]
    assert (unit.CodeValue, unit.CodingSchemeDesignator) == ("g/ml{SUVbw}", "UCUM")
    quantity = line.QuantityDefinitionSequence[0].ConceptCodeSequence[0]
    assert (quantity.CodeValue, quantity.CodingSchemeDesignator) == ("126401", "DCM")
    # 16 bits with a sign, as the images.
    assert (line.RealWorldValueFirstValueMapped, line.RealWorldValueLastValueMapped) == (
        -(2**15),
        2**15 - 1,
    )
    # By hand, as in test_reads: 2.5 Bq/mL per unit stored, 70 kg, 370 MBq one hour ago.
    by_hand = 2.5 * 70_000 / (370e6 * 2 ** (-3600 / 6586.2))
    assert line.RealWorldValueSlope == pytest.approx(by_hand, rel=1e-5)
    assert 20_000 * line.RealWorldValueSlope + line.RealWorldValueIntercept == pytest.approx(
        run.lesions.get().suvmax
    )


def test_each_group_of_the_report_names_the_map(made):
    for group in groups(made["SR"]).values():
        named = [one for one in group[0].ContentSequence if one.name.value == "126100"]
        uids = [one.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for one in named]
        assert uids == [made["RWV"].sop_instance_uid]


def test_slices_of_their_own_slope_have_a_line_of_their_own(run):
    found = object_writing.found_of(run, object_writing.outlines_of)
    factors = [*found.factors[:-1], 2 * found.factors[-1]]
    first, last = value_map.value_map(
        found.source, factors
    ).ReferencedImageRealWorldValueMappingSequence
    counts = [len(one.ReferencedImageSequence) for one in (first, last)]
    assert counts == [records.PLANES - 1, 1]
    slopes = [one.RealWorldValueMappingSequence[0].RealWorldValueSlope for one in (first, last)]
    assert slopes[1] == 2 * slopes[0]


def test_a_region_put_back_makes_the_earlier_report_stand_again(run, everyone):
    for x in (20.0, 30.0, 20.0):
        regions.place(run, kind="blood_pool", centre_mm=(x, 20.0, 15.0), radius_mm=9.0, by=everyone)
        worked()
    reports = run.dicom_objects.filter(kind="SR").order_by("pk")
    assert [one.superseded_at is None for one in reports] == [True, False]


# Lesions from other sources


def test_lesions_that_overlap_keep_all_their_voxels(run):
    found = object_writing.found_of(run, object_writing.outlines_of)
    ours = found.outlines[0].voxels
    drawn = Outline(2, np.append(ours[:5], [0, 1]), origin=lesion_segments.Origin.MANUAL)
    ds = lesion_segments.segmentation(
        found.source, [found.outlines[0], drawn], shape=found.grid.shape
    )
    canvas = drawings.canvas(run.series)
    masks = [one.mask(canvas.grid, canvas.planes) for one in segments.segmentation(ds).regions]
    assert [np.flatnonzero(one).tolist() for one in masks] == [ours.tolist(), sorted(drawn.voxels)]
    assert ds.SegmentSequence[1].SegmentAlgorithmType == "MANUAL"


@pytest.mark.parametrize(
    ("outlines", "code"),
    [
        ([], "no-lesions"),
        ([(2, [1]), (1, [1])], "lesions-not-numbered"),
        ([(0, [1])], "lesions-not-numbered"),
        ([(1, [])], "lesion-without-voxel"),
        ([(1, [10**9])], "lesions-outside"),
    ],
)
def test_what_is_no_lesion_is_refused_by_name(run, outlines, code):
    found = object_writing.found_of(run, object_writing.outlines_of)
    several = [Outline(number, np.array(voxels, np.int64)) for number, voxels in outlines]
    with pytest.raises(ObjectError) as refusal:
        lesion_segments.segmentation(found.source, several, shape=found.grid.shape)
    assert refusal.value.code == code


def test_dcmqi_counts_the_voxels_of_a_real_series(reference_data, dicom3tools, tmp_path):
    files = sorted((reference_data / "pet_series/ge_sts_001_raw/image").iterdir())
    slices = [pydicom.dcmread(file) for file in files]
    read = [pet_header(ds) for ds in slices]
    order = geometry.stack_from_headers(read).order
    planes = [read[i] for i in order]
    head = slices[order[0]]
    values = volume.rescaled(planes, (slices[i].pixel_array for i in order))
    # A twentieth of the highest value; planes of this series lie 3.19 to 3.29 mm apart.
    found = segmentation.fixed_threshold(
        values,
        threshold=float(values.max()) / 20,
        spacing=(3.27, 4.6875, 4.6875),
        minimum_volume_ml=1,
        max_components=50,
    )
    voxels = [found.flat[found.labels == label] for label in range(found.count)]
    assert len(voxels) > 1
    ds = lesion_segments.segmentation(
        Source(head, tuple(planes), run=1, key=b"key", software_version="1"),
        [Outline(number, one) for number, one in enumerate(voxels, start=1)],
        shape=values.shape,
    )
    (tmp_path / "seg.dcm").write_bytes(written(ds))
    assert "Error" not in told(dicom3tools, str(tmp_path / "seg.dcm"))
    where = ("--inputDICOM", str(tmp_path / "seg.dcm"), "--outputDirectory", str(tmp_path))
    dcmqi("segimage2itkimage", *where, "-t", "nrrd")
    counts = [
        np.count_nonzero(
            SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(tmp_path / f"{number}.nrrd")))
        )
        for number in range(1, len(voxels) + 1)
    ]
    assert counts == [one.size for one in voxels]
