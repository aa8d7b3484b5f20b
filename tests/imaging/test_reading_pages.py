"""The reader's page: slices that show what was decided, clicks, decisions and the signature.

The series is that of tests/records.py: 12 planes of 24 x 24 voxels of 4 x 4 x 3 mm with one block
of 4 x 4 x 4 voxels, rows and columns 10 to 13, planes 4 to 7; the planes go up, to the head.
"""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from PIL import Image

from imaging.models import GrownLesion, LesionRead, Quantification, Read
from imaging.services import quantification, reads
from tests import factories, records
from tests.factories import PASSWORD
from tests.imaging.conftest import scan_of_its_day
from trials.models import Finding, ScheduledScan, Site
from trials.roles import Role
from trials.services import jobs

# Of the page with a draft, for any number of regions.
QUERIES = 10

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("storage_as_kept")]


@pytest.fixture(scope="module")
def arranged(kept) -> Quantification:
    site = factories.make_site(factories.make_trial())
    by = records.everyone(site.trial)
    return records.make_measured(scan_of_its_day(site, by=by), by=by)


@pytest.fixture
def run(arranged, db) -> Quantification:
    return Quantification.objects.get(pk=arranged.pk)


@pytest.fixture
def scan(run) -> ScheduledScan:
    return run.series.imaging_study.scheduled_scan


@pytest.fixture
def pet_site(scan) -> Site:
    return scan.patient.site


@pytest.fixture
def reader(pet_site):
    return factories.make_user(Role.READER, trial=pet_site.trial, site=pet_site)


@pytest.fixture
def desk(client, run, reader):
    client.force_login(reader)
    return f"/reading/{run.series.reading_identifier}/"


def picture(client, address: str) -> np.ndarray:
    answer = client.get(address)
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/png")
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def measure_again(run, *, by) -> None:
    with factories.framed():
        job = jobs.enqueue("imaging.quantify", actor=by, series=run.series_id)
    quantification.run(jobs.claim(job.pk))


def has(image: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((image == colour).all(axis=-1).any())


def test_a_read_goes_from_its_beginning_to_the_signature_by_forms_alone(client, desk, run, reader):
    assert "Begin the read" in client.get(desk).content.decode()
    assert client.post(f"{desk}open/").status_code == 302
    text = client.get(desk).content.decode()
    assert "0 of 1 decided" in text
    assert "Not decided yet: 1." in text
    wrong = client.post(f"{desk}regions/1/", {"decision": "excluded", "organ": "", "reason": "x y"})
    assert (wrong.status_code, wrong.context["decision"].errors.keys()) == (422, {"organ"})
    # In words: the API names the codes.
    assert "bone_marrow" not in str(wrong.context["decision"].errors["organ"])
    said = {"decision": "excluded", "organ": "kidneys", "reason": "physiological uptake"}
    assert client.post(f"{desk}regions/1/", said)["Location"] == f"{desk}?region=1"
    assert "1 of 1 decided" in client.get(desk).content.decode()
    assert client.post(f"{desk}sign/", {"password": "guessed"}).status_code == 422
    assert client.post(f"{desk}sign/", {"password": PASSWORD})["Location"] == desk
    assert "You signed this read" in client.get(desk).content.decode()
    assert Finding.objects.get(test="LESNUM").evaluator == reader
    assert "Why it is read again" in client.get(f"{desk}open/").content.decode()
    assert client.post(f"{desk}open/", {"reason": "the other kidney"}).status_code == 302
    assert Read.objects.filter(state="draft").count() == 1


def test_a_slice_outlines_a_region_in_the_colour_of_its_decision(client, desk, run, reader):
    address = f"{desk}slice/axial/5.png?high=20"
    not_decided, lesion = (191, 87, 0), (190, 24, 54)
    assert has(picture(client, address), not_decided)
    read = reads.open_read(run.series, by=reader)
    reads.decide(read.lesion_reads.get(), by=reader, decision="accepted")
    assert has(picture(client, address), lesion)
    assert not has(picture(client, f"{desk}slice/axial/0.png?high=20"), lesion)
    reads.decide(
        read.lesion_reads.get(), by=reader, decision="excluded", organ="other", reason="artefact"
    )
    image = picture(client, address)
    assert not has(image, lesion)
    assert not has(image, not_decided)


def test_the_window_makes_the_block_black_or_grey(client, desk):
    """SUV 13.817: black up to 10, (1 - 13.817 / 20) * 255 = 79 up to 20."""
    middle = (288, 288)
    assert picture(client, f"{desk}slice/axial/5.png?high=10")[middle].tolist() == [0, 0, 0]
    assert picture(client, f"{desk}slice/axial/5.png?high=20")[middle].tolist() == [79, 79, 79]


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("slice/axial/12.png", 422),
        ("slice/oblique/1.png", 404),
        ("slice/axial/5.png?high=0", 422),
        ("slice/axial/5.png?high=nan", 422),
        ("slice/axial/5.png?voxel=1,2", 422),
        ("slice/axial/5.png?voxel=99,2,2", 422),
    ],
)
def test_what_is_no_slice_is_refused(client, desk, address, status):
    assert client.get(desk + address).status_code == status


def test_a_click_tells_what_it_would_take_in_and_is_kept_by_a_form(client, desk, run, reader):
    """Column 11 of 24 covers 264 to 288 of 576 pixels; the block is 3.072 mL."""
    reads.open_read(run.series, by=reader)
    asked = {"plane": "axial", "slice": 5, "x": 270, "y": 270}
    found = client.get(f"{desk}grow/", asked).json()
    assert found["voxel"] == "5,11,11"
    assert found["volume_ml"] == pytest.approx(3.072)
    api = f"/api/v1/readings/{run.series.reading_identifier}/read/grown/"
    over_api = client.get(api, {"plane": 5, "row": 11, "column": 11}).json()
    assert over_api["volume_ml"] == found["volume_ml"]
    assert not LesionRead.objects.filter(grown__isnull=False).exists()
    beside = client.get(f"{desk}grow/", asked | {"x": 9999})
    assert (beside.status_code, beside.json()["code"]) == (422, "beside-the-slice")
    kept = {"voxel": found["voxel"], "instead_of": "", "plane": "axial", "high": "20"}
    answer = client.post(f"{desk}grow/", kept)
    assert answer["Location"] == f"{desk}?region=2&plane=axial&high=20"
    text = client.get(answer["Location"]).content.decode()
    assert "grown from your click" in text
    row = LesionRead.objects.get(number=2)
    derivation = client.get(f"/derivations/grown/{row.grown_id}/suvmax/").content.decode()
    assert "SUV ≥ 41 % of the highest near the click" in derivation
    reads.decide(row, by=reader, decision="accepted")
    over_page, over_api = (
        client.get(f"{desk}grow/", asked),
        client.get(api, {"plane": 5, "row": 11, "column": 11}),
    )
    shares = [{"number": 2, "volume_ml": pytest.approx(3.072)}]
    assert over_page.json()["shares"] == over_api.json()["shares"] == shares
    assert client.post(f"{desk}grow/", kept).status_code == 409


def test_a_region_grown_again_shows_what_it_was_and_offers_what_was_said(client, desk, run, reader):
    read = reads.open_read(run.series, by=reader)
    kept = reads.grow(read, by=reader, voxel=(5, 11, 11), instead_of=1)
    lost = reads.grow(read, by=reader, voxel=(5, 11, 11))
    reads.decide(kept, by=reader, decision="accepted", region="stomach")
    with factories.framed():
        GrownLesion.objects.filter(pk=lost.grown_id).update(clicked_mm=[0.0, 0.0, 999.0])
    measure_again(run, by=reader)
    client.post(f"{desk}open/")
    answer = client.get(desk)
    text = answer.content.decode()
    assert "grown again: before 3.07 mL, now 3.07 mL, confirm" in text
    assert "Region 2 (3.07 mL, SUVmax 13.82 g/mL), which you grew from a click: This place" in text
    offered = answer.context["decision"].initial
    assert (offered["decision"], offered["region"]) == ("accepted", "stomach")
    grown = LesionRead.objects.get(read__state="draft").grown_id
    derivation = client.get(f"/derivations/grown/{grown}/suvmax/").content.decode()
    assert "grown at the same place on run 1" in derivation


def test_a_read_that_ended_says_so_to_its_reader_and_to_a_monitor(
    client, desk, run, reader, pet_site
):
    read = reads.open_read(run.series, by=reader)
    reads.decide(read.lesion_reads.get(), by=reader, decision="accepted")
    reads.sign(read, by=reader, password=PASSWORD)
    measure_again(run, by=reader)
    assert "To be read again" in client.get("/reading/").content.decode()
    assert "Your read has ended" in client.get(desk).content.decode()
    own = f"/api/v1/readings/{run.series.reading_identifier}/read/"
    assert "Begin a new read" in client.get(own).json()["ended"]
    assert client.post(f"{desk}open/").status_code == 302
    assert "0 of 1 decided" in client.get(desk).content.decode()
    client.force_login(factories.make_user(Role.MONITOR, trial=pet_site.trial, site=pet_site))
    assert "This read has ended" in client.get(f"/reads/{read.pk}/").content.decode()


def test_a_reader_reads_no_date_in_a_derivation_and_a_monitor_does(client, desk, run, pet_site):
    lesion = run.lesions.get()
    addresses = [
        f"/derivations/lesion/{lesion.pk}/suvmax/",
        f"/api/v1/lesions/{lesion.pk}/derivation/suvmax/",
    ]

    def dates() -> list[int]:
        answers = [client.get(address) for address in addresses]
        assert [answer.status_code for answer in answers] == [200, 200]
        return [len(re.findall(r"\d{4}-\d{2}-\d{2}", one.content.decode())) for one in answers]

    assert dates() == [0, 0]
    client.force_login(factories.make_user(Role.MONITOR, trial=pet_site.trial, site=pet_site))
    assert min(dates()) > 0


def test_a_coronal_slice_has_the_head_at_the_top(client, desk):
    """Planes 4 to 7 of 12 from the feet: rows 4 to 7 of 12 from the top."""
    asked = {"plane": "coronal", "slice": 11, "x": 270}
    of_a_plane = 3 / (24 * 4) * 576
    top, bottom = (
        client.get(f"{desk}grow/", asked | {"y": int((row + 0.5) * of_a_plane)}).json()["voxel"]
        for row in (4, 7)
    )
    assert (top, bottom) == ("7,11,11", "4,11,11")


def test_one_reader_sees_nothing_of_anothers_read(client, desk, run, reader, pet_site):
    other = factories.make_user(Role.READER, trial=pet_site.trial, site=pet_site)
    read = reads.open_read(run.series, by=reader)
    row = reads.grow(read, by=reader, voxel=(5, 11, 11), instead_of=1)
    reads.decide(row, by=reader, decision="accepted", region="spleen")
    reads.sign(read, by=reader, password=PASSWORD)
    mine = client.get(f"{desk}slice/axial/5.png").content
    client.force_login(other)
    text = client.get(desk).content.decode()
    assert "Begin the read" in text
    assert str(reader) not in text
    assert client.get(f"{desk}slice/axial/5.png").content != mine
    assert "Not begun" in client.get("/reading/").content.decode()
    assert client.get(f"/derivations/grown/{row.grown_id}/suvmax/").status_code == 403
    assert client.post(f"{desk}regions/1/", {"decision": "accepted"}).status_code == 409


def test_a_page_costs_the_same_for_one_region_and_three(
    client, desk, run, reader, django_assert_num_queries
):
    read = reads.open_read(run.series, by=reader)
    client.get(desk)
    with django_assert_num_queries(QUERIES):
        client.get(desk)
    for _ in range(2):
        reads.grow(read, by=reader, voxel=(5, 11, 11))
    with django_assert_num_queries(QUERIES):
        client.get(desk)


def test_a_signed_read_is_shown_to_a_monitor_and_to_nobody_who_reads(
    client, run, reader, pet_site, everyone, scan
):
    read = reads.open_read(run.series, by=reader)
    row = reads.grow(read, by=reader, voxel=(5, 11, 11), instead_of=1)
    reads.decide(row, by=reader, decision="accepted", region="spleen")
    monitor = factories.make_user(Role.MONITOR, trial=pet_site.trial, site=pet_site)
    client.force_login(monitor)
    patient, page = f"/patients/{scan.patient_id}/", f"/reads/{read.pk}/"
    assert client.get(page).status_code == 404
    assert "What readers found" not in client.get(patient).content.decode()
    reads.sign(read, by=reader, password=PASSWORD)
    assert f'<a href="{page}">3.07 mL</a>' in client.get(patient).content.decode()
    text = client.get(page).content.decode()
    assert "Spleen" in text
    assert f"/derivations/grown/{row.grown_id}/suvmax/" in text
    assert client.get(f"/derivations/grown/{row.grown_id}/suvmax/").status_code == 200
    # Holds every role, that of a reader too.
    client.force_login(everyone)
    assert "not shown to you" in client.get(page).content.decode()
    assert "Spleen" not in client.get(page).content.decode()
    assert "What readers found" not in client.get(patient).content.decode()
