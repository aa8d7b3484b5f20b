"""SUVpeak where voxels are larger than the radius of its sphere: SUVmax, and said to be.

The series is that of tests/records.py with voxels of 7 x 7 x 8 mm: 12 planes of 24 x 24 with one
block of 4 x 4 x 4 voxels, rows and columns 10 to 13, planes 4 to 7. A sphere of 1 mL has a radius
of 6.2 mm: its only voxel centre is its own.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pydicom
import pytest
from django.urls import reverse
from PIL import Image

from imaging import peaks
from imaging import storage as stored
from imaging.models import Lesion, Quantification
from imaging.selectors import derivations
from imaging.selectors import reads as selecting
from imaging.services import object_writing, objects, read_objects, reads
from reporting.datasets import DATASETS
from reporting.selectors import rows
from tests import factories, records
from trials.models import Job
from trials.roles import Role
from trials.services import jobs

PROGRAMS = Path(sys.executable).parent

NOTE = (
    "Voxels of 8.00 × 7.00 × 7.00 mm against a radius of 6.20 mm: the sphere of SUVpeak holds "
    "1 voxel, SUVpeak is SUVmax."
)


def larger(ds, plane: int) -> None:
    ds.PixelSpacing, ds.SliceThickness = [7, 7], 8
    ds.ImagePositionPatient = [0, 0, 8 * plane]
    # The hottest voxel: of a block that is hot alike every mean would be its maximum.
    if plane == 5:
        ds.PixelData = ds.PixelData[: 2 * (11 * 24 + 11)] + (24_000).to_bytes(
            2, "little"
        ) + ds.PixelData[2 * (11 * 24 + 12) :]  # fmt: skip


@pytest.fixture
def run(storage, scan, everyone) -> Quantification:
    return fresh(records.make_measured(scan, by=everyone, draw=larger))


def fresh(run: Quantification) -> Quantification:
    """With its series as it was assembled."""
    return Quantification.objects.get(pk=run.pk)


def exported(trial) -> dict:
    (row,) = rows.of(DATASETS["lesions"], trial)
    return dict(zip(DATASETS["lesions"].column_names, row, strict=True))


@pytest.fixture
def reader(pet_site):
    return factories.make_user(Role.READER, trial=pet_site.trial, site=pet_site)


@pytest.mark.parametrize(
    ("spacing", "weighted", "count", "words"),
    [
        # Lattice points within 6.2035 / 2 = 3.10 steps (OEIS A000605, see test_lesions).
        ((2.0, 2.0, 2.0), False, 123, ""),
        ((5.0, 2.0, 2.0), False, 47, ""),
        # Quantified to 7 voxels on this grid by the reference of the lesion methods.
        ((5.0, 5.3, 5.3), False, 7, ""),
        ((5.0, 5.3, 5.3), True, 27, ""),
        # The circle of 6.2035 / 4 = 1.55 steps in one plane: 1 + 4 + 4.
        (
            (8.0, 4.0, 4.0),
            False,
            9,
            "holds 9 voxels, and no neighbour across the planes of the image.",
        ),
        (
            (4.0, 7.0, 7.0),
            False,
            3,
            "holds 3 voxels, and no neighbour across the rows and columns of the image.",
        ),
        ((7.0, 7.0, 8.0), False, 1, "holds 1 voxel, SUVpeak is SUVmax."),
        # Parts of 6 neighbours, whose faces are 3.5 or 4 mm away, and of 12 whose edges are at most
        # 5.3; the corners are 6.36 mm away.
        ((7.0, 7.0, 8.0), True, 19, ""),
        ((13.0, 13.0, 13.0), True, 1, "holds 1 voxel, SUVpeak is SUVmax."),
    ],
)
def test_the_sphere_says_how_many_voxels_it_holds(spacing, weighted, count, words):
    assert peaks.voxel_count(spacing, weighted=weighted) == count
    told = peaks.coarse_words(spacing, weighted=weighted)
    assert (told.partition("SUVpeak ")[2] if words else told) == words


@pytest.mark.django_db
def test_it_is_warned_of_with_the_number_wherever_the_peak_is_shown(client, run, pet_site, reader):
    (lesion,) = run.lesions.all()
    assert lesion.suvpeak == pytest.approx(lesion.suvmax)
    assert lesion.suvpeak > 1.1 * lesion.suvmean
    monitor = factories.make_user(Role.MONITOR, trial=pet_site.trial)
    client.force_login(monitor)
    page = client.get(reverse("series", args=[run.series_id])).content.decode()
    assert f'title="{NOTE}">peak of 1 voxel</span>' in page
    assert NOTE in derivations.derivation_of(lesion, "suvpeak", with_origin=True).source
    told = client.get(f"/api/v1/series/{run.series_id}/").json()["quantification"]
    assert (told["peak_voxels"], told["peak_note"]) == (1, NOTE)
    row = exported(pet_site.trial)
    assert (row["peak_voxels"], row["peak_is_coarse"]) == (1, True)


@pytest.mark.django_db
def test_a_reader_is_warned_before_anything_is_kept(client, run, reader):
    reads.open_read(run.series, by=reader)
    client.force_login(reader)
    desk = reverse("reading", args=[run.series.reading_identifier])
    assert "peak of 1 voxel</span>" in client.get(desk).content.decode()
    picture = Image.open(io.BytesIO(client.get(f"{desk}slice/axial/5.png").content))
    place = {"x": picture.width * 11.5 / 24, "y": picture.height * 11.5 / 24}
    click = client.get(f"{desk}grow/", {"plane": "axial", "slice": 5} | place)
    assert click.json()["peak_note"] == NOTE
    square = [[x, y, 40] for x, y in ((67, 67), (87, 67), (87, 87), (67, 87))]
    drawn = client.post(f"{desk}draw/", {"contours": json.dumps([square]), "show": "yes"})
    assert drawn.json()["peak_note"] == NOTE
    shape = {"shape": "box", "x_mm": 77, "y_mm": 77, "z_mm": 40}
    shape |= {"through_mm": 16, "down_mm": 20, "across_mm": 20, "show": "yes"}
    assert NOTE in client.post(f"{desk}place/", shape).content.decode()
    api = f"/api/v1/readings/{run.series.reading_identifier}/read/"
    assert client.get(api).json()["peak_note"] == NOTE
    grown = client.get(f"{api}grown/", {"plane": 5, "row": 11, "column": 11}).json()
    assert grown["peak_note"] == NOTE
    body = {"contours": [square]}
    preview = client.post(f"{api}drawn/preview/", body, content_type="application/json")
    assert preview.json()["peak_note"] == NOTE


@pytest.mark.django_db
def test_voxels_that_the_sphere_holds_several_of_are_not_warned_of(client, scan, everyone, storage):
    run = fresh(records.make_measured(scan, by=everyone))
    client.force_login(factories.make_user(Role.MONITOR, trial=scan.patient.trial))
    page = client.get(reverse("series", args=[run.series_id])).content.decode()
    assert "peak of" not in page
    assert (run.peak_voxels, run.peak_note) == (21, "")
    row = exported(scan.patient.trial)
    assert (row["peak_voxels"], row["peak_is_coarse"]) == (21, False)


@pytest.mark.django_db
def test_the_dicom_report_says_it_and_others_read_it(run, reader, dicom3tools, tmp_path):
    object_writing.write(jobs.claim(Job.objects.get(kind=objects.KIND).pk))
    (one,) = run.dicom_objects.filter(kind="SR")
    path = str(stored.archive.path(one.sha256))
    assert comments(pydicom.dcmread(path)) == [NOTE]
    assert "Error" not in said_by(dicom3tools, path)
    told = read_by_dcmqi(path, tmp_path)
    (measured,) = [group for group in told["Measurements"] if group.get("ReferencedSegment")]
    assert len(measured["measurementItems"]) == 5
    (row,) = selecting.rows_of(reads.open_read(run.series, by=reader))
    assert read_objects.lesion_row(row, run, []).remark == NOTE


def test_border_and_partial_volume_are_said_before_it():
    run = SimpleNamespace(peak_note=NOTE)
    lesion = Lesion(has_partial_volume=True, peak_leaves_image=True)
    assert object_writing.remark_on(lesion, run) == (
        "Smaller than twice the resolution of the scanner: the numbers are too low. The image ends "
        f"within the sphere of SUVpeak: it is the mean of what lies inside. {NOTE}"
    )
    lesion = Lesion(has_partial_volume=False, peak_leaves_image=None)
    assert object_writing.remark_on(lesion, SimpleNamespace(peak_note="")) == ""


def comments(ds: pydicom.Dataset) -> list[str]:
    """Of every item of the content, however deep."""
    found = []
    for item in ds.get("ContentSequence", ()):
        if item.ConceptNameCodeSequence[0].CodeValue == "121106":
            found.append(item.TextValue)
        found += comments(item)
    return found


def read_by_dcmqi(path: str, folder: Path) -> dict:
    report = folder / "report.json"
    reads_it = str(PROGRAMS / "tid1500reader")
    said_by(reads_it, "--inputDICOM", path, "--outputMetadata", str(report))
    return json.loads(report.read_text())


def said_by(*command) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout + done.stderr
