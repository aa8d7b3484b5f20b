"""The mirror image of a lesion as its own reference: proposed, accepted, replaced, told.

The slices of `records` hold two hot blocks of 20 000 in an even background of 1000, and no head: a
plane through them is given here, x = 48 mm in the middle.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from imaging import selectors
from imaging.models import Quantification, ReferenceRegion
from imaging.reference_regions import sphere
from imaging.selectors import derivations, organs
from imaging.selectors import regions as selecting
from imaging.services import quantification, regions
from reporting.datasets.lesions import RATIOS, REGIONS
from reporting.datasets.organs import ORGANS
from reporting.selectors import rows
from tests import factories, records
from tests.factories import framed
from tests.imaging.test_regions import measure_again
from trials.models import User
from trials.roles import Role
from trials.services import jobs

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("storage")]

KIND = ReferenceRegion.Kind.CONTRALATERAL_BRAIN
PLANE = {
    "point_mm": [40.0, 0.0, 0.0],
    "normal": [1.0, 0.0, 0.0],
    "correlation": 0.93,
    "definition": "midsagittal-correlation-1",
}


@dataclass
class Scene:
    run: Quantification
    reader: User
    image: ReferenceRegion


@pytest.fixture
def scene(pet_site, everyone, scan) -> Scene:
    plan = scan.planned_scan
    plan.reference_regions = [KIND]
    with framed():
        plan.save(update_fields=["reference_regions"])
    run = records.make_measured(scan, by=everyone, blocks=((4, 3, 3), (4, 15, 15)))
    reader = factories.make_user(Role.READER, trial=pet_site.trial, site=pet_site)
    return Scene(run, reader, mirror_first(run))


def mirror_first(run: Quantification) -> ReferenceRegion:
    """The mirror image of the first lesion, as if a head had been found."""
    values, grid = quantification.volume_of(run)
    found = sphere(values, grid=grid, centre_mm=(40.0, 40.0, 15.0), radius_mm=6.0)
    with framed():
        return quantification.add_region(
            run,
            replace(found, radius_mm=None),
            kind=KIND,
            status="proposed",
            placed_by=jobs.system_user(),
            lesion=run.lesions.get(number=1),
            plane=PLANE,
        )


def test_images_without_a_head_give_none_and_say_why(scene):
    assert scene.run.parameters["proposals"][KIND] in ("no-head", "head-not-covered")
    assert scene.run.parameters["not_proposed"][KIND]


def test_only_its_own_lesion_is_compared_with_it(scene):
    one, other = selectors.lesions_of(scene.run)
    (ratio,) = one.ratios.all()
    assert ratio.tbr == pytest.approx(one.suvmax / scene.image.suvmean)
    assert ratio.tbr_peak == pytest.approx(one.suvpeak / scene.image.suvmean)
    assert ratio.tbr_mean == pytest.approx(one.suvmean / scene.image.suvmean)
    assert not other.ratios.exists()
    columns = selecting.columns(scene.run, selecting.in_force(scene.run))
    selecting.line_up([one, other], columns)
    assert (one.compared, other.compared) == ([ratio], [None])
    told = str(derivations.derivation_of(one, "tbr", with_origin=False))
    assert "TBR to contralateral brain" in told
    assert "the mirror image of the lesion" in told


def test_a_reader_accepts_it_on_the_page_that_shows_it(client, scene):
    client.force_login(scene.reader)
    address = reverse("reading", args=[scene.run.series.reading_identifier])
    text = client.get(address).content.decode()
    assert "mirror image of region 1" in text
    assert "contralateral brain, proposed" in text
    assert client.get(f"{address}slice/axial/5.png").status_code == 200
    answer = client.post(f"{address}regions/{scene.image.pk}/accept/")
    assert answer.status_code == 302
    assert "contralateral brain, proposed" not in client.get(address).content.decode()
    scene.image.refresh_from_db()
    assert (scene.image.status, scene.image.accepted_by) == ("accepted", scene.reader)
    shown = str(derivations.region_derivation(scene.image, "suvmean", with_origin=False))
    assert "midsagittal-correlation-1" in shown
    assert "0.93" in shown
    answer = client.get(f"/api/v1/readings/{scene.run.series.reading_identifier}/").json()
    (found,) = answer["quantification"]["reference_regions"]
    assert (found["lesion"], found["radius_mm"]) == (scene.image.lesion_id, None)
    assert found["plane"]["correlation"] == 0.93


def test_a_sphere_that_a_reader_places_takes_the_place_of_all_of_them(scene):
    placed = regions.place(
        scene.run, kind=KIND, centre_mm=(40.0, 40.0, 15.0), radius_mm=6.0, by=scene.reader
    )
    assert list(selecting.in_force(scene.run)) == [placed]
    one, other = selectors.lesions_of(scene.run)
    assert [ratio.region for lesion in (one, other) for ratio in lesion.ratios.all()] == [
        placed
    ] * 2


def test_the_next_run_does_not_take_it_over(scene):
    regions.accept(scene.image, by=scene.reader)
    assert not measure_again(scene.run).reference_regions.exists()


def test_exports_have_it_as_a_region_and_a_ratio_and_not_as_an_organ(scene):
    regions.accept(scene.image, by=scene.reader)
    trial = scene.run.series.imaging_study.scheduled_scan.patient.trial
    found = {
        one.name: [dict(zip(one.column_names, row, strict=True)) for row in rows.of(one, trial)]
        for one in (REGIONS, RATIOS, ORGANS)
    }
    (region,) = found["regions"]
    assert region["mirrors_lesion"] == scene.image.lesion_id
    assert (region["radius_mm"], region["mirror_correlation"]) == (None, 0.93)
    (ratio,) = found["ratios"]
    assert (ratio["region_kind"], ratio["region_status"]) == (KIND, "accepted")
    assert found["organs"] == []
    statistician = factories.make_user(Role.STATISTICIAN, trial=trial)
    assert not organs.listed(statistician).exists()


def test_the_database_keeps_spheres_and_mirror_images_apart(scene):
    with pytest.raises(IntegrityError, match="one_mirror_image"), transaction.atomic():
        mirror_first(scene.run)
    with (
        pytest.raises(IntegrityError, match="region_is_sphere_or_mirror_image"),
        framed(),
        transaction.atomic(),
    ):
        ReferenceRegion.objects.filter(pk=scene.image.pk).update(radius_mm=6.0)
