"""Regions drawn on images: through the whole way in, onto the series they were drawn on."""

from __future__ import annotations

import io
import json

import pydicom
import pytest
from django.urls import reverse

from imaging import storage
from imaging.models import DeidentificationProof, Series, Transmittal
from imaging.parser_child import encoded
from imaging.selectors import drawings as selectors
from tests import factories
from tests.imaging import drawings
from tests.imaging.test_intake import a_slice, sent
from trials.models import Query
from trials.roles import Role

pytestmark = pytest.mark.django_db


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


def drawn_on(slices, kind=drawings.structure_set) -> bytes:
    return encoded(kind([pydicom.dcmread(io.BytesIO(one)) for one in slices]))


def regions() -> Series:
    return Series.objects.get(modality__in=Series.REGIONS)


every_kind = pytest.mark.parametrize(
    "kind", [drawings.structure_set, drawings.segmentation], ids=["RTSTRUCT", "SEG"]
)


@every_kind
def test_regions_sent_with_their_images_are_released_without_names_and_placed(
    scan, coordinator, slices, kind
):
    transmittal = sent(scan, [*slices, drawn_on(slices, kind)], coordinator)
    assert transmittal.state == Transmittal.State.ASSEMBLED
    placed, pet = regions(), Series.objects.get(modality="PT")
    assert (placed.state, placed.drawn_on, placed.message) == (Series.State.ASSEMBLED, pet, "")
    (region,) = placed.assembly["regions"]
    assert (region["number"], region["label"]) == (3, "GTV")
    assert region["voxels"] == 3 * drawings.SQUARE_PIXELS
    data = storage.archive.read(placed.instances.get().sha256)
    for name in (b"CANARY", b"MRN-0815", b"Wintergreen", b"Hollister"):
        assert name not in data


@every_kind
def test_every_proof_is_made_of_regions_but_that_of_an_suv(scan, coordinator, slices, kind):
    sent(scan, [*slices, drawn_on(slices, kind)], coordinator)
    made = dict(regions().proofs.values_list("kind", "is_held"))
    assert made == dict.fromkeys(DeidentificationProof.Kind.values, True) | {"suv_factor": False}


@every_kind
def test_references_of_released_regions_point_at_the_released_series(
    scan, coordinator, slices, kind
):
    sent(scan, [*slices, drawn_on(slices, kind)], coordinator)
    ((_, structures),) = selectors.drawings_of(regions())
    pet = Series.objects.get(modality="PT")
    assert structures.series == (pet.series_instance_uid,)
    instances = set(pet.instances.values_list("sop_instance_uid", flat=True))
    assert structures.regions[0].images == instances


def test_regions_that_come_before_their_images_wait_for_them(scan, coordinator, slices):
    first = sent(scan, [drawn_on(slices)], coordinator)
    waiting = regions()
    assert (waiting.state, waiting.code) == (Series.State.REFUSED, "referenced-series-missing")
    assert first.message == waiting.message
    question = Query.objects.get(rule="referenced-series-missing")
    assert question.state == Query.State.OPEN
    sent(scan, slices[:2], coordinator)
    assert regions().code == "referenced-image-missing"
    sent(scan, slices[2:], coordinator)
    assert (regions().state, regions().code) == (Series.State.ASSEMBLED, "")
    assert not Query.objects.exclude(state=Query.State.CLOSED).filter(
        rule__startswith="referenced-"
    )
    first.refresh_from_db()
    assert first.message == "Regions drawn on images of this scan: placed on them."


def moved(slices, change) -> bytes:
    ds = pydicom.dcmread(io.BytesIO(drawn_on(slices)))
    change(ds)
    return encoded(ds)


def in_another_frame(ds) -> None:
    ds.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = "1.2.99"


def between_the_planes(ds) -> None:
    for contour in ds.ROIContourSequence[0].ContourSequence:
        contour.ContourData = [float(z) + (n % 3 == 2) for n, z in enumerate(contour.ContourData)]


def beside_the_images(ds) -> None:
    for contour in ds.ROIContourSequence[0].ContourSequence:
        contour.ContourData = [
            float(x) + 10 * (n % 3 == 0) for n, x in enumerate(contour.ContourData)
        ]


def of_no_series(ds) -> None:
    del ds.ReferencedFrameOfReferenceSequence


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("other-frame-of-reference", in_another_frame),
        ("contours-off-plane", between_the_planes),
        ("contours-outside", beside_the_images),
        ("regions-of-no-series", of_no_series),
    ],
)
def test_regions_that_do_not_fit_their_images_are_refused_and_asked_about(
    scan, coordinator, slices, code, change
):
    sent(scan, [*slices, moved(slices, change)], coordinator)
    refused = regions()
    assert (refused.state, refused.code, refused.drawn_on) == (Series.State.REFUSED, code, None)
    assert Query.objects.get(rule=code).text == f"RTSTRUCT not usable: {refused.message}"
    assert Series.objects.get(modality="PT").state == Series.State.ASSEMBLED


@pytest.mark.parametrize(
    ("number", "change", "code"),
    [
        (3, {"SOPInstanceUID": "1.2.3.33"}, "duplicate-positions"),
        (4, {"Manufacturer": "Another"}, "mixed-acquisitions"),
    ],
)
def test_regions_of_images_that_are_no_one_volume_wait(
    scan, coordinator, slices, dataset, number, change, code
):
    sent(scan, [*slices, a_slice(dataset, number, **change), drawn_on(slices)], coordinator)
    assert Series.objects.get(modality="PT").code == code
    assert regions().code == "referenced-series-unusable"


def test_the_page_of_regions_says_on_what_they_lie(scan, coordinator, slices, client):
    sent(scan, [*slices, drawn_on(slices)], coordinator)
    client.force_login(coordinator)
    page = client.get(reverse("series", args=[regions().pk])).content.decode()
    pet = Series.objects.get(modality="PT")
    assert reverse("series", args=[pet.pk]) in page
    assert "GTV" in page
    assert "Planes × rows × columns" not in page


def test_regions_are_found_over_dicomweb_and_have_no_picture(scan, coordinator, slices, client):
    sent(scan, [*slices, drawn_on(slices)], coordinator)
    client.force_login(coordinator)
    placed = regions()
    study = placed.imaging_study.study_instance_uid
    found = client.get(f"/dicom-web/studies/{study}/series?Modality=RTSTRUCT").json()
    assert [one["0020000E"]["Value"] for one in found] == [[placed.series_instance_uid]]
    at = f"/dicom-web/studies/{study}/series/{placed.series_instance_uid}"
    (header,) = json.loads(client.get(f"{at}/metadata").getvalue())
    assert header["30060002"]["Value"] == ["REGIONS"]
    instance = placed.instances.get().sop_instance_uid
    for address in (f"{at}/thumbnail", f"{at}/instances/{instance}/frames/1"):
        answer = client.get(address)
        assert (answer.status_code, answer.json()["code"]) == (409, "no-picture")
