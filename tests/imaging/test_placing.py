"""A reader places a shape: shown, kept, found again, replayed; where nothing is outlined as well.

The series is that of tests/records.py: 12 planes of 24 x 24 voxels of 4 x 4 x 3 mm with one block
of 4 x 4 x 4 voxels of one SUV, rows and columns 10 to 13, planes 4 to 7.
"""

from __future__ import annotations

import pytest
from django.urls import reverse

from imaging.models import GrownLesion, LesionRead
from imaging.selectors import derivations
from imaging.selectors import reads as selecting
from imaging.services import growing, open_volumes, reads
from tests import factories, records
from tests.factories import PASSWORD
from tests.imaging.test_reads import measure_again, refusal
from trials.roles import Role
from trials.segmentation_methods import placed

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("storage")]

MANUAL = {"method": "manual", "placed": {"method": "threshold", "suv": 4.0}}
# Around the middle of the block, in the patient 44 mm from the first column and row, 15 mm up.
SHAPE = {"shape": "box", "x_mm": "44", "y_mm": "44", "z_mm": "15"}
# Two voxels to either side along columns and rows, one along planes.
SIZE = {"across_mm": "16", "down_mm": "16", "through_mm": "6"}


@pytest.fixture
def run(pet_site, everyone, scan):
    with factories.framed():
        scan.planned_scan.segmentation = MANUAL
        scan.planned_scan.save(update_fields=["segmentation"])
    return records.make_measured(scan, by=everyone)


@pytest.fixture
def reader(pet_site):
    return factories.make_user(Role.READER, trial=pet_site.trial, site=pet_site)


@pytest.fixture
def desk(client, run, reader):
    client.force_login(reader)
    return reverse("reading", args=[run.series.reading_identifier])


def test_where_readers_outline_nothing_is_outlined_and_an_empty_read_says_no_lesion(run, reader):
    assert (run.lesions.count(), run.parameters["method"]) == (0, "manual")
    assert "suv" not in run.parameters
    read = reads.open_read(run.series, by=reader)
    assert reads.obstacles(read) == []
    reads.sign(read, by=reader, password=PASSWORD)
    assert selecting.newest(run, reader).state == "signed"


def test_a_shape_is_shown_then_kept_and_found_again_as_it_was_measured(client, desk, run, reader):
    read = reads.open_read(run.series, by=reader)
    assert "Outlined by you" in client.get(desk).content.decode()
    address = f"{desk}place/"
    assert 'value="44.0"' in client.get(f"{address}?voxel=5,11,11").content.decode()
    shown = client.post(address, SHAPE | SIZE | {"show": "yes"})
    text = shown.content.decode()
    # Of the three by three by five voxels in the box these are the block's: 4 x 4 in each plane.
    assert (shown.status_code, shown.context["shown"]["measured"].voxel_count) == (200, 3 * 4 * 4)
    assert not GrownLesion.objects.exists()
    (source, *_) = [part.split('"')[0] for part in text.split('<img src="')[1:]]
    assert client.get(source.replace("&amp;", "&")).status_code == 200
    # What was changed since it was shown is shown first, whatever is pressed.
    other = client.post(address, SHAPE | SIZE | {"keep": "yes", "seen": "box 1.0 1.0 1.0 2 2 2"})
    assert (other.status_code, other.context["is_other"]) == (422, True)
    assert not GrownLesion.objects.exists()
    seen = {"seen": other.context["shown"]["told"]}
    kept = client.post(address, SHAPE | SIZE | {"keep": "yes"} | seen)
    assert kept["Location"] == f"{desk}?region=1"
    page = client.get(desk).content.decode()
    assert "Regions that a reader outlines. Each number" in page
    assert "placed by you" in page
    row = LesionRead.objects.get(read=read)
    assert row.grown.parameters == placed(MANUAL, shape="box", size_mm=(6, 16, 16))
    assert row.grown.clicked_voxel == [5, 11, 11]
    assert growing.voxels_of(open_volumes.of_run(run), row).size == row.grown.voxel_count
    node = derivations.derivation_of(row.grown, "volume_ml", with_origin=False).to_json()
    assert "SUV ≥ 4 g/mL in a placed box of 6 × 16 × 16 mm" in str(node)


def test_a_shape_that_takes_nothing_in_is_answered_beside_the_form(client, desk, run, reader):
    reads.open_read(run.series, by=reader)
    address = f"{desk}place/"
    beside = client.post(address, SHAPE | SIZE | {"x_mm": "8", "show": "yes"})
    assert beside.status_code == 422
    assert "No voxel in the shape belongs" in beside.content.decode()
    outside = client.post(address, SHAPE | SIZE | {"x_mm": "900", "keep": "yes"})
    assert "outside the image" in outside.content.decode()
    assert client.post(address, SHAPE | SIZE | {"across_mm": "0"}).status_code == 422
    # A number of more digits than Python reads as one.
    assert client.get(f"{address}?voxel={'9' * 5000},1,1").status_code == 200
    assert not GrownLesion.objects.exists()


def test_a_shape_is_placed_again_on_a_new_measurement(run, reader):
    read = reads.open_read(run.series, by=reader)
    method = placed(MANUAL, shape="ellipsoid", size_mm=(24, 30, 30))
    before = reads.grow(read, by=reader, voxel=(5, 11, 11), method=method).grown
    again = reads.open_read(measure_again(run).series, by=reader)
    (row,) = selecting.rows_of(again)
    assert (row.grown.grown_from, row.grown.parameters) == (before, method)
    assert row.grown.voxel_count == before.voxel_count


def test_a_shape_is_placed_over_the_api(client, desk, run, reader):
    reads.open_read(run.series, by=reader)
    address = f"/api/v1/readings/{run.series.reading_identifier}/read/grown/"
    body = {"voxel": [5, 11, 11], "placed": {"shape": "box", "size_mm": [6, 16, 16]}}
    made = client.post(address, body, content_type="application/json")
    assert (made.status_code, made.json()["measured"]["voxel_count"]) == (201, 48)
    body["placed"] = {"shape": "cone", "size_mm": [6, 16, 16]}
    assert client.post(address, body, content_type="application/json").status_code == 422


def test_a_click_adapted_to_the_background_keeps_what_its_threshold_came_from(run, reader):
    method = {"method": "background_adapted", "signal": "suvmax"}
    method |= {"times_signal": 0.5, "times_background": 0.5}
    read = reads.open_read(run.series, by=reader)
    grown = reads.grow(read, by=reader, voxel=(5, 11, 11), method=method).grown
    signal, background = grown.came_to["signal"], grown.came_to["background"]
    # The scan holds 20 000 in the block, and 1000 around it.
    assert (signal, background) == (grown.suvmax, pytest.approx(grown.suvmax / 20))
    assert grown.threshold == pytest.approx((signal + background) / 2)
    node = str(derivations.derivation_of(grown, "suvmean", with_origin=False).to_json())
    assert "0.5 × SUVmax + 0.5 × the background around it" in node
    assert "'Background'" in node


def test_a_click_whose_region_runs_into_something_much_hotter_is_refused(everyone, scan):
    # A bridge to a voxel that lies farther than a click is moved.
    run = records.make_measured(scan, by=everyone)
    opened = open_volumes.of_run(run)
    opened.suv[5, 11, 14:20] = opened.suv[5, 11, 11]
    # Twice as hot: 41 % of it still takes the block in.
    opened.suv[5, 11, 20] = 2 * opened.suv[5, 11, 11]
    assert growing.preview(run, (5, 11, 11)).grown.holds_hotter
    opened.suv[5, 11, 20] = 3 * opened.suv[5, 11, 11]
    assert refusal(lambda: growing.preview(run, (5, 11, 11))) == "region-holds-hotter"
