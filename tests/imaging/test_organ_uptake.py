"""Normal-organ uptake over a trial: summed up, drawn, opened, and kept from readers."""

from __future__ import annotations

from datetime import date

import pytest

from imaging.models import ReferenceRegion, Series
from imaging.organ_uptake import DOT, Summary, lanes, summary, ticks
from imaging.selectors import organs
from imaging.selectors import regions as selecting
from imaging.services import regions
from reporting.datasets.organs import ORGANS
from reporting.selectors import rows
from tests import factories, records
from tests.factories import framed
from trials.models import Membership, Withdrawal
from trials.roles import Role
from trials.services import jobs


def test_a_summary_against_a_worked_example():
    # NIST/SEMATECH e-Handbook 1.3.5.6: the sample standard deviation of 2, 4, 4, 4, 5, 5, 7, 9 has
    # the sum of squares 32 over 7.
    found = summary([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0])
    assert found == Summary(8, 5.0, pytest.approx((32 / 7) ** 0.5), 4.5, 2.0, 9.0)
    assert summary([3.0]) == Summary(1, 3.0, None, 3.0, 3.0, 3.0)
    with pytest.raises(ValueError, match="no value"):
        summary([])


@pytest.mark.parametrize("highest", [0.0, 0.37, 1.0, 7.2, 43.0, 1999.0])
def test_the_axis_begins_at_zero_and_reaches_the_highest_value(highest):
    marks = ticks(highest)
    assert marks[0] == 0.0
    assert marks[-1] >= highest
    assert len(marks) <= 7


def test_no_dot_covers_another():
    places = [0.5 + i * DOT / 4 for i in range(12)]
    found = list(zip(places, lanes(places), strict=True))
    for i, (place, lane) in enumerate(found):
        assert all(abs(place - x) >= DOT for x, other in found[:i] if other == lane)


@pytest.fixture
def placed(pet_site, everyone, scan, storage) -> list[ReferenceRegion]:
    """Two adrenals that a reader stands for, and a spleen that is only proposed."""
    run = records.make_measured(scan, by=everyone)
    records.stand_for_adrenals(run, by=everyone)
    records.propose(run, "spleen")
    return list(run.reference_regions.exclude(status="proposed").order_by("kind"))


@pytest.fixture
def statistician(client, pet_site):
    client.force_login(factories.make_user(Role.STATISTICIAN, trial=pet_site.trial))
    return client


@pytest.mark.django_db
def test_the_page_sums_up_and_each_number_opens_its_derivation(statistician, placed, scan):
    text = statistician.get("/organs/").content.decode()
    left, right = placed
    for region in placed:
        assert region.get_kind_display() in text
        for quantity in ("suvmean", "suvmax", "suvpeak"):
            assert f"/derivations/region/{region.pk}/{quantity}/" in text
    assert "Spleen" not in text
    assert scan.patient.identifier in text
    assert f"Left adrenal: 1 scan, mean {left.suvmean:.2f}" in text
    # The header knows when it was injected, and nobody recorded how much.
    assert "not recorded" in text
    assert statistician.get(f"/derivations/region/{right.pk}/suvmean/").status_code == 200
    assert (
        f"mean {left.suvmax:.2f}" in statistician.get("/organs/?quantity=suvmax").content.decode()
    )


@pytest.mark.django_db
def test_the_same_over_the_api(statistician, placed):
    (table,) = statistician.get("/api/v1/organ-uptake/").json()
    left, right = table["organs"]
    assert (left["kind"], right["kind"]) == ("adrenal_left", "adrenal_right")
    assert left["suvmean"]["n"] == 1
    assert left["suvmean"]["mean"] == placed[0].suvmean
    assert left["scans"][0]["volume_ml"] == placed[0].volume_ml
    assert statistician.get("/api/v1/organ-uptake/?trial=elsewhere").json() == []


@pytest.mark.django_db
def test_every_organ_can_be_placed_and_is_on_page_api_and_export(statistician, placed, pet_site):
    run = placed[0].quantification
    reader = factories.make_user(Role.READER, trial=pet_site.trial, site=pet_site)
    kinds = ["blood_pool", "liver", "spleen", "bone_marrow", "muscle", "kidney_left"]
    kinds += ["kidney_right", "adrenal_left", "adrenal_right"]
    for kind in kinds:
        regions.place(run, kind=kind, centre_mm=(20.0, 20.0, 15.0), radius_mm=6.0, by=reader)
    # Lesions are compared with background alone.
    compared = selecting.ratios_in_force().filter(lesion__quantification=run)
    assert {one.region.kind for one in compared} == {"blood_pool", "liver", "muscle"}
    text = statistician.get("/organs/").content.decode()
    assert all(ReferenceRegion.Kind(kind).label in text for kind in kinds)
    (table,) = statistician.get("/api/v1/organ-uptake/").json()
    assert [one["kind"] for one in table["organs"]] == kinds
    place = ORGANS.column_names.index("region_kind")
    assert [row[place] for row in rows.of(ORGANS, pet_site.trial)] == kinds


@pytest.mark.django_db
def test_who_may_read_sees_nothing_of_it_whatever_else_they_are(client, placed, pet_site):
    reader = factories.make_user(Role.READER, trial=pet_site.trial, site=pet_site)
    client.force_login(reader)
    assert client.get("/organs/").status_code == 403
    both = factories.make_user(Role.READER, trial=pet_site.trial, site=pet_site)
    with framed():
        Membership.objects.create(
            user=both, trial=pet_site.trial, role=Role.MONITOR, starts_on=date(2026, 1, 1)
        )
    client.force_login(both)
    assert client.get("/api/v1/organ-uptake/").json() == []


@pytest.mark.django_db
@pytest.mark.parametrize("why", ["another series counts", "withdrew the use"])
def test_what_does_not_count_is_not_summed_up(statistician, placed, scan, why):
    with framed():
        if why == "another series counts":
            Series.objects.update(counts=False)
        else:
            Withdrawal.objects.create(
                patient=scan.patient,
                extent=Withdrawal.Extent.USE,
                initiative=Withdrawal.Initiative.PATIENT,
                withdrawn_at="2026-03-05",
                text="no more",
                recorded_by=jobs.system_user(),
            )
    assert "No organ measured yet" in statistician.get("/organs/").content.decode()


@pytest.mark.django_db
def test_a_table_is_one_query_however_many_regions(placed, django_assert_num_queries):
    with django_assert_num_queries(1):
        (table,) = organs.tables(ReferenceRegion.objects.exclude(status="proposed"))
        assert [organs.net_activity_mbq(organ.rows[0]) for organ in table.organs] == [None, None]
