"""The report of lesions: which read counts, what a lesion's numbers are set beside."""

from __future__ import annotations

import statistics

from reporting.reports import lesions
from reporting.reports.content import Share
from reporting.reports.rows import Rows
from reporting.views.reports import capped


def finding(scan, test, value, *, lesion=None, patient="001", **more):
    return {
        "usubjid": f"T-{patient}",
        "patient": patient,
        "scan": scan,
        "run": 1,
        "test": test,
        "value_number": value,
        "lesion_number": lesion,
        "location": "liver" if lesion else None,
        "method": "sphere_1ml" if test == "SUVPEAK" else None,
        "is_accepted": True,
    } | more


def scan(number, tracer="68Ga-Pentixafor", plan="ptf"):
    return {"scan": number, "tracer": tracer, "planned_scan": plan}


def sphere(number, mean, kind="blood_pool", run=1):
    return {"scan": number, "run": run, "region_kind": kind, "suvmean": mean}


def one_lesion(number, suvmax, **more):
    return [
        finding(number, "LESNUM", 1.0, **more),
        finding(number, "SUVMAX", suvmax, lesion=1, **more),
        finding(number, "SUVPEAK", suvmax - 1, lesion=1, **more),
        finding(number, "VOLUME", 2.5, lesion=1, **more),
    ]


def table(content, title):
    (found,) = (one for one in content.tables if title in one.title)
    return found


def rows_of(found):
    names = [one.name for one in found.columns]
    return [dict(zip(names, row, strict=True)) for row in found.rows]


def test_a_lesion_has_its_ratio_to_the_sphere_of_the_same_run():
    content = lesions.tables(
        Rows(
            {
                "findings": [*one_lesion(1, 6.0), *one_lesion(2, 8.0, patient="002")],
                "scans": [scan(1), scan(2)],
                # Of scan 2 the sphere is of a run that was not read.
                "organs": [sphere(1, 1.5), sphere(1, 3.0, "liver"), sphere(2, 2.0, run=2)],
            }
        )
    )
    first, second = rows_of(table(content, "one by one"))
    assert (first["site"], first["suvmax"], first["suvpeak"], first["volume"]) == (
        "Liver", 6.0, 5.0, 2.5,
    )  # fmt: skip
    assert (first["tbr_blood_pool"], first["tbr_liver"], second["tbr_blood_pool"]) == (4, 2, None)
    by_site = {row["quantity"]: row for row in rows_of(table(content, "tracer and site"))}
    ratio = by_site["TBR, mediastinal blood pool"]
    assert (ratio["n"], ratio["missing"], ratio["mean"]) == (1, 1, 4.0)
    uptake = by_site["SUVmax, g/mL"]
    assert (uptake["n"], uptake["patients"], uptake["median"]) == (2, 2, 7.0)
    assert uptake["sd"] == statistics.stdev([6.0, 8.0])


def test_two_spheres_in_one_place_are_no_background():
    content = lesions.tables(
        Rows({"findings": one_lesion(1, 6.0), "organs": [sphere(1, 1.5), sphere(1, 2.0)]})
    )
    assert "tbr_blood_pool" not in [one.name for one in table(content, "one by one").columns]


def test_reads_that_do_not_count_are_missing_and_their_lesions_are_none():
    content = lesions.tables(
        Rows(
            {
                "findings": [
                    *one_lesion(1, 6.0),
                    *one_lesion(2, 90.0, patient="002", is_accepted=False),
                    finding(3, "LESNUM", 0.0, patient="003"),
                ],
                "scans": [scan(1), scan(2), scan(3)],
                "evidence": [
                    {"usubjid": "T-001", "variable": "diagnosis.group", "value": "NHL"},
                    {"usubjid": "T-001", "variable": "weight", "value": "70"},
                ],
            }
        )
    )
    counts = {row["tumour_type"]: row for row in rows_of(table(content, "counts"))}
    assert counts["Non-Hodgkin lymphoma"]["with_lesion"] == Share(1, 1)
    assert counts[lesions.NOT_STATED]["with_lesion"] == Share(0, 1)
    assert table(content, "counts").missing == ((lesions.NOT_COUNTED, 1),)
    assert [row["lesions"] for row in rows_of(table(content, "burden"))] == [1, 0]
    assert (
        max(
            row["maximum"]
            for row in rows_of(table(content, "volume of lesions by tracer and tumour"))
        )
        == 6.0
    )


def test_two_tracers_plans_and_definitions_have_rows_of_their_own():
    other = [
        one | {"method": "ibsi_global"} if one["test"] == "SUVPEAK" else one
        for one in one_lesion(3, 4.0)
    ]
    content = lesions.tables(
        Rows(
            {
                "findings": [*one_lesion(1, 6.0), *one_lesion(2, 8.0), *other],
                "scans": [scan(1), scan(2, "18F-FDG", "fdg"), scan(3, plan="ptf_2")],
            }
        )
    )
    found = rows_of(table(content, "tracer and site"))
    assert all(row["n"] == 1 for row in found)
    assert {row["quantity"] for row in found} >= {
        "SUVpeak, sphere 1ml, g/mL", "SUVpeak, ibsi global, g/mL",
    }  # fmt: skip
    assert {(row["tracer"], row["planned_scan"]) for row in found} == {
        ("68Ga-Pentixafor", "ptf"), ("18F-FDG", "fdg"), ("68Ga-Pentixafor", "ptf_2"),
    }  # fmt: skip
    by_site, by_type = content.figures
    assert "Liver, 18F-FDG (fdg): 1 lesions, median 8.0" in by_site.alternative
    assert len(by_type.drawing.groups) == 3


def test_a_profile_that_leaves_the_words_of_evidence_out_leaves_the_type_open():
    evidence = [{"usubjid": "T-001", "variable": "diagnosis.group"}]
    content = lesions.tables(Rows({"findings": one_lesion(1, 6.0), "evidence": evidence}))
    assert rows_of(table(content, "burden"))[0]["tumour_type"] == lesions.NOT_STATED


def test_a_page_shows_the_first_rows_of_a_long_table_and_says_how_many_more_there_are():
    rows = [[str(number)] for number in range(203)]
    assert capped(rows) == (rows[:200], 3)
    assert capped(rows[:200]) == (rows[:200], 0)
