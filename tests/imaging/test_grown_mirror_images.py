"""The mirror image of what a reader grew or drew: looked for, accepted, signed, and private.

A head whose brain has 0.5 g/mL on both sides (`test_midsagittal.head`, without noise), x = 0 its
middle, and a sphere of 3 g/mL on one side: its TBR is 3 / 0.5 = 6.
"""

from __future__ import annotations

import numpy as np
import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from imaging.models import GrownMirrorImage, LesionRead
from imaging.selectors import derivations
from imaging.selectors import reads as selecting
from imaging.services import hand_drawing, read_objects, reads
from tests import factories, records
from tests.factories import framed
from tests.imaging.test_midsagittal import GRID, POINTS, head
from tests.imaging.test_placing import MANUAL
from tests.imaging.test_reads import measure_again, refusal
from trials.roles import Role

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("storage")]

# 2.5 Bq/mL a stored value, 70 kg, 370 MBq decayed for an hour, of `conftest.pet_dataset`.
SUV_OF_ONE = 2.5 * 70_000 / (370e6 * 2 ** (-3600 / 6586.2))
LESION, OTHER_SIDE, MIDDLE = (34.0, 10.0, 140.0), (-34.0, 10.0, 140.0), (0.0, 10.0, 140.0)


def picture(*spheres):
    """Draws slices of the head with spheres of 3 g/mL and 10 mm radius."""
    suv, _ = head(noise=0.0)
    for centre in spheres:
        suv[np.linalg.norm(POINTS - np.array(centre), axis=-1) <= 10.0] = 3.0
    stored = np.round(suv / SUV_OF_ONE).astype(np.int16)

    def draw(ds, plane):
        ds.Rows, ds.Columns = GRID.shape[1:]
        ds.NumberOfSlices = GRID.shape[0]
        ds.SliceThickness = "4"
        ds.ImagePositionPatient = [float(one) for one in GRID.voxel_to_patient((plane, 0, 0))]
        ds.PixelData = stored[plane].tobytes()

    return draw


def voxel(centre):
    return tuple(int(one) for one in np.rint(GRID.patient_to_voxel(centre)))


@pytest.fixture
def measured(pet_site, everyone, scan):
    """Measures a head with spheres, where nothing is outlined by computation."""

    def run(*spheres, kinds=("contralateral_brain",)):
        plan = scan.planned_scan
        plan.segmentation, plan.reference_regions = MANUAL, list(kinds)
        with framed():
            plan.save(update_fields=["segmentation", "reference_regions"])
        return records.make_measured(
            scan, by=everyone, planes=GRID.shape[0], draw=picture(*spheres)
        )

    return run


@pytest.fixture
def reader(pet_site):
    return factories.make_user(Role.READER, trial=pet_site.trial, site=pet_site)


def test_a_click_on_a_lesion_of_the_brain_is_compared_with_the_other_side(
    client, pet_site, measured, reader
):
    run = measured(LESION)
    read = reads.open_read(run.series, by=reader)
    row = reads.grow(read, by=reader, voxel=voxel(LESION))
    image = row.grown.mirror_image
    assert (image.code, image.suvmean) == ("", pytest.approx(0.5, abs=1e-3))
    assert image.centre_mm == pytest.approx(OTHER_SIDE, abs=4.0)
    assert image.voxel_count == pytest.approx(row.grown.voxel_count, rel=0.2)

    client.force_login(reader)
    address = reverse("reading", args=[run.series.reading_identifier])
    page = client.get(address).content.decode()
    assert "Mirror image of region 1" in page
    assert client.get(f"{address}slice/axial/{voxel(LESION)[0]}.png").status_code == 200
    url = f"/api/v1/readings/{run.series.reading_identifier}/read/"
    (told,) = client.get(url).json()["regions"]
    assert told["tbr"] == pytest.approx(6.0, rel=2e-3)
    assert told["mirror_image"]["accepted_at"] is None
    node = str(derivations.derivation_of(row.grown, "tbr", with_origin=False).to_json())
    assert "midsagittal-correlation-1" in node
    assert "mirror image of the lesion" in node
    assert client.get(reverse("derivation_grown", args=[row.grown.pk, "tbr"])).status_code == 200

    def reported():
        (own,) = selecting.rows_of(read)
        return dict(read_objects.lesion_row(own, own.read.quantification, []).ratios)

    # What is only proposed is in no DICOM report.
    assert reported() == {}
    accept = reverse("mirror_accept", args=[run.series.reading_identifier, 1])
    assert client.post(accept).status_code == 302
    assert "Accept<span" not in client.get(address).content.decode().split("own regions")[1]
    assert reported() == {"contralateral_brain": pytest.approx(6.0, rel=2e-3)}
    again = client.post(f"{url}regions/1/mirror-image/")
    assert (again.status_code, again.json()["code"]) == (409, "mirror-image-not-proposed")
    signed = reads.content_of(read)["regions"][0]["mirror_image"]
    assert signed["suvmean"] == pytest.approx(0.5, abs=1e-3)

    other = factories.make_user(Role.READER, trial=pet_site.trial, site=pet_site)
    reads.open_read(run.series, by=other)
    client.force_login(other)
    assert "mirror image" not in client.get(address).content.decode().lower()
    assert client.post(accept).status_code in (404, 409)


def test_a_drawing_has_one_too_and_the_next_measurement_looks_again(measured, reader):
    run = measured(LESION)
    read = reads.open_read(run.series, by=reader)
    x, y, z = LESION
    square = [[x + a, y + b, z] for a, b in ((-6, -6), (6, -6), (6, 6), (-6, 6))]
    shown = hand_drawing.preview(run, [square])
    row = hand_drawing.keep(read, [square], by=reader, seen=hand_drawing.told(shown))
    assert row.grown.is_drawn
    assert row.grown.mirror_image.suvmean == pytest.approx(0.5, abs=1e-3)
    reads.accept_mirror_image(row, by=reader)

    again = reads.open_read(measure_again(run).series, by=reader)
    image = LesionRead.objects.get(read=again).grown.mirror_image
    assert (image.suvmean, image.accepted_at) == (pytest.approx(0.5, abs=1e-3), None)


def test_a_region_without_normal_brain_on_the_other_side_says_why(client, measured, reader):
    run = measured(MIDDLE)
    read = reads.open_read(run.series, by=reader)
    row = reads.grow(read, by=reader, voxel=voxel(MIDDLE))
    assert row.grown.mirror_image.code == "crosses-the-plane"
    assert refusal(lambda: reads.accept_mirror_image(row, by=reader)) == "mirror-image-not-proposed"
    client.force_login(reader)
    page = client.get(reverse("reading", args=[run.series.reading_identifier])).content.decode()
    assert "reaches across the mirror plane" in page


def test_what_is_grown_later_in_a_mirror_image_stands_in_the_way_of_the_signature(measured, reader):
    run = measured(LESION, OTHER_SIDE)
    read = reads.open_read(run.series, by=reader)
    first = reads.grow(read, by=reader, voxel=voxel(LESION))
    # Nobody outlined the other side yet.
    assert first.grown.mirror_image.suvmean > 1
    reads.accept_mirror_image(first, by=reader)
    second = reads.grow(read, by=reader, voxel=voxel(OTHER_SIDE))
    assert second.grown.mirror_image.code == "mirror-holds-lesion"
    assert "Region 1: Its mirror image holds a part of a region." in " ".join(reads.obstacles(read))


def test_nothing_is_looked_for_where_the_protocol_does_not_compare_with_it(measured, reader):
    read = reads.open_read(measured(LESION, kinds=()).series, by=reader)
    reads.grow(read, by=reader, voxel=voxel(LESION))
    assert not GrownMirrorImage.objects.exists()


def test_the_database_keeps_an_image_or_why_there_is_none(measured, reader):
    read = reads.open_read(measured(LESION).series, by=reader)
    row = reads.grow(read, by=reader, voxel=voxel(LESION))
    images = GrownMirrorImage.objects.filter(pk=row.grown.mirror_image.pk)
    with (
        pytest.raises(IntegrityError, match="grown_mirror_image_or_why_not"),
        framed(),
        transaction.atomic(),
    ):
        images.update(suvmean=None)
