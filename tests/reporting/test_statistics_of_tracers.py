"""Two tracers compared from places of disease, against the published Waldenström study."""

from __future__ import annotations

import csv

import pytest

from imaging.paired_table import PairedSite
from reporting.statistics.paired import PairedTable
from reporting.statistics.tracers import of_lesions, of_patients

PUBLISHED = {"bone_marrow": 0.077, "lymph_node": 0.003, "overall": 0.023}


def site(patient: str, first: bool, second: bool, **more: object) -> PairedSite:
    return PairedSite(patient=patient, region="", is_first=first, is_second=second, **more)


@pytest.mark.reference
@pytest.mark.parametrize(("region", "p"), PUBLISHED.items())
def test_waldenstroem_study_comes_out_of_its_places(reference_data, region, p):
    with (reference_data / "published/T02_waldenstrom_paired.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["region"] == region]
    # The study looked at the region in every patient: a place that neither tracer shows is one too.
    sites = [
        PairedSite(
            patient=row["row"],
            region=region,
            is_first=row["pentixafor_pos"] == "1",
            is_second=row["fdg_pos"] == "1",
        )
        for row in rows
    ]
    found = of_patients(sites, patients={row["row"] for row in rows}, region=region)
    ps = {result.test.variant: round(result.test.p, 3) for result in found.tests}
    assert ps["continuity-corrected"] == p
    assert found.table.n == 17
    counts = [sum(row[name] == "1" for row in rows) for name in ("pentixafor_pos", "fdg_pos")]
    assert [round(17 * rate.estimate) for rate in (found.first, found.second)] == counts


def test_who_has_no_lesion_is_negative_on_both():
    found = of_patients([site("1", True, False)], patients={"1", "2"})
    assert found.table == PairedTable(both=0, first_only=1, second_only=0, neither=1)
    assert (found.first.estimate, found.second.estimate) == (0.5, 0.0)


def test_who_has_no_place_in_a_region_is_missing_there_and_no_negative():
    nowhere = of_patients([site("1", True, False)], patients={"1", "2"}, region="spleen")
    assert nowhere.table.n == 0
    reason = "no place of disease there; whether both scans cover it is not recorded"
    assert dict(nowhere.first.missing) == {reason: 2}


def test_a_place_outside_one_scan_is_missing_and_not_negative():
    found = of_patients([site("1", True, False, is_covered=False)], patients={"1", "2"})
    assert (found.first.n, found.first.missing) == (1, (("not covered by one of the scans", 1),))


def test_lesions_have_a_detection_rate_over_patients():
    sites = [
        site("1", True, True),
        site("1", True, False),
        site("2", True, False),
        site("2", False, False),
        site("3", False, True),
        site("3", True, True, is_covered=False),
    ]
    found = of_lesions(sites)
    assert found.table == PairedTable(both=1, first_only=2, second_only=1, neither=0)
    assert (found.first.name, found.first.estimate) == ("detection rate of the first test", 0.75)
    assert found.first.notes == ("4 units in 3 clusters",)
    assert found.first.missing == (
        ("not covered by one of the scans", 1), ("positive on neither tracer", 1)
    )  # fmt: skip
    assert [result.test.variant for result in found.tests] == ["Obuchowski", "Durkalski"]
    # Differences 1, 1, -1 of the patients: 2/3 * 1/3.
    assert found.tests[0].test.statistic == pytest.approx(2 / 9)


def test_no_lesions_have_no_rate():
    found = of_lesions([])
    assert found.first.reason == "not estimable: nothing was counted (0/0)"
    assert found.tests[0].reason.startswith("not estimable")
