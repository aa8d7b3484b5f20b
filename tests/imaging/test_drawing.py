"""A reader draws by hand: shown, kept as shown, found again, written down; refused by name.

The series is that of `test_placing`: one block of 4 x 4 x 4 voxels, rows and columns 10 to 13,
planes 4 to 7, of voxels of 4 x 4 x 3 mm whose first lies at the origin of the patient.
"""

from __future__ import annotations

import json
from functools import partial

import pytest
from django.urls import reverse

from imaging.models import GrownLesion, LesionRead
from imaging.selectors import derivations
from imaging.selectors import reads as selecting
from imaging.services import growing, hand_drawing, open_volumes, reads
from tests import factories, records
from tests.imaging.test_placing import MANUAL
from tests.imaging.test_reads import measure_again, refusal
from trials.roles import Role

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("storage")]


def square(plane: int) -> list[list[float]]:
    """Rows and columns 10 to 12 of a plane: 3 x 3 voxels of the block."""
    return [[x, y, 3.0 * plane] for x, y in ((38, 38), (50, 38), (50, 50), (38, 50))]


CONTOURS = [square(4), square(5)]
CROSSED = [[[38, 38, 12], [50, 50, 12], [50, 38, 12], [38, 50, 12]]]


@pytest.fixture
def run(pet_site, everyone, scan):
    with factories.framed():
        scan.planned_scan.segmentation = MANUAL
        scan.planned_scan.save(update_fields=["segmentation"])
    return records.make_measured(scan, by=everyone)


@pytest.fixture
def reader(pet_site):
    return factories.make_user(Role.READER, trial=pet_site.trial, site=pet_site)


def test_a_drawing_is_shown_kept_as_shown_found_again_and_carried_over(client, run, reader):
    read = reads.open_read(run.series, by=reader)
    client.force_login(reader)
    address = reverse("reading_draw", args=[run.series.reading_identifier])
    sheet = client.get(address)
    assert (sheet.status_code, sheet.context["plane"]) == (200, "axial")
    body = {"contours": json.dumps(CONTOURS)}
    shown = client.post(address, body | {"show": "yes"}).json()
    assert (shown["voxels"], shown["volume_ml"]) == (18, pytest.approx(18 * 0.048))
    assert not GrownLesion.objects.exists()

    unseen = client.post(address, body | {"keep": "yes", "seen": "another"})
    assert (unseen.status_code, unseen.json()["code"]) == (409, "drawing-changed")
    crossed = client.post(address, {"contours": json.dumps(CROSSED), "show": "yes"})
    assert (crossed.status_code, crossed.json()["code"]) == (422, "contours-cross")
    assert client.post(address, {"contours": "[[1, 2]]", "show": "yes"}).status_code == 422
    assert not GrownLesion.objects.exists()

    keep = body | {"keep": "yes", "seen": shown["told"], "submission": sheet.context["submission"]}
    desk = reverse("reading", args=[run.series.reading_identifier])
    # Sent again because the answer was lost, it is kept once.
    assert [client.post(address, keep).json() for _ in range(2)] == [
        {"address": f"{desk}?region=1"}
    ] * 2
    row = LesionRead.objects.get(read=read)
    assert (row.grown.suvmax, row.grown.voxel_count) == (shown["suvmax"], 18)
    assert growing.voxels_of(open_volumes.of_run(run), row).size == 18
    assert "drawn by you" in client.get(f"{desk}?region=1").content.decode()
    node = str(derivations.derivation_of(row.grown, "suvmax", with_origin=False).to_json())
    assert "contours drawn by hand on slices 5 to 6" in node

    again = reads.open_read(measure_again(run).series, by=reader)
    (carried,) = selecting.rows_of(again)
    assert (carried.grown.grown_from, carried.grown.parameters) == (
        row.grown,
        row.grown.parameters,
    )


def test_a_drawing_shares_no_voxel_with_a_lesion_and_is_drawn_over_the_api(client, run, reader):
    read = reads.open_read(run.series, by=reader)
    client.force_login(reader)
    address = f"/api/v1/readings/{run.series.reading_identifier}/read/drawn/"
    json_ = {"content_type": "application/json"}
    shown = client.post(f"{address}preview/", {"contours": CONTOURS}, **json_).json()
    assert (shown["voxel_count"], shown["slices"], shown["shares"]) == (18, [5, 6], [])
    body = {"contours": CONTOURS, "seen": shown["told"]}
    made = client.post(address, body, **json_)
    assert (made.status_code, made.json()["measured"]["voxel_count"]) == (201, 18)
    reads.decide(LesionRead.objects.get(read=read), by=reader, decision="accepted")

    one = [square(5)]
    found = hand_drawing.preview(run, one)
    seen = hand_drawing.told(found)
    assert [str(each) for each in reads.shared_by(run, reader, found)] == ["0.43 mL with region 1"]
    keep = partial(hand_drawing.keep, read, one, by=reader, seen=seen)
    assert refusal(keep) == "shares-voxels"
    assert keep(instead_of=1).grown.voxel_count == 9
    beside = client.post(address, body | {"contours": CROSSED}, **json_)
    assert (beside.status_code, beside.json()["code"]) == (422, "contours-cross")


@pytest.mark.parametrize(
    "contours",
    ["[" * 100_000, f"[[[1{'0' * 400}, 2, 3]]]", "[[[1, 2, 3], [1, 2], [1, 2, 3]]]", "[[[{}]]]"],
)
def test_contours_that_are_none_are_refused_and_break_nothing(client, run, reader, contours):
    reads.open_read(run.series, by=reader)
    client.force_login(reader)
    address = reverse("reading_draw", args=[run.series.reading_identifier])
    assert client.post(address, {"contours": contours}).status_code == 422
