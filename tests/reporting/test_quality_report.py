"""The report of image quality: what is counted as measured, as kept, and as not held to a rule."""

from __future__ import annotations

from reporting.reports import quality
from reporting.reports.content import Share
from reporting.reports.rows import Rows


def series(number, status="computed", **more):
    return {
        "site": "101",
        "scan": number,
        "series": number,
        "modality": "PT",
        "scanner_manufacturer": "GE",
        "scanner_model": "Discovery 690",
        "state": "quantified",
        "code": "",
        "status": status,
        "flags": None,
    } | more


def finding(number, rule="voxel-size-out-of-range", severity="minor", **more):
    return {"series": number, "rule": rule, "severity": severity, "is_let_pass": False} | more


def scan(number, minutes, low=30.0, high=60.0):
    return {
        "site": "101",
        "scan": number,
        "tracer": "68Ga-Pentixafor",
        "uptake_minutes": minutes,
        "uptake_low_minutes": low,
        "uptake_high_minutes": high,
    }


def table(content, title):
    (found,) = (one for one in content.tables if title in one.title)
    return found


def rows_of(content, title):
    found = table(content, title)
    names = [one.name for one in found.columns]
    return [dict(zip(names, row, strict=True)) for row in found.rows]


def test_each_series_has_one_verdict_and_a_ct_is_no_pet():
    content = quality.conformance(
        Rows(
            {
                "series": [
                    series(1),
                    series(2, "flagged", flags="incomplete derived-image"),
                    series(3, "review"),
                    series(4, "refused", code="no-weight"),
                    series(5, None, state="refused", code="missing-slices", site="102"),
                    series(6, None, state="assembled"),
                    series(7, modality="CT"),
                ]
            }
        )
    )
    one, two, every = rows_of(content, "by verdict")
    assert (two["site"], two["not_assembled"], every["site"]) == ("102", 1, quality.ALL)
    kinds = ("computed", "flagged", "review", "refused", "not_assembled", "not_measured")
    assert (every["series"], [every[name] for name in kinds]) == (6, [1] * 6)
    # Wilson of 2/6: 0.0968 to 0.7000 (statsmodels, proportion_confint).
    ends = every["with_suv"]
    assert (round(ends.lower, 2), round(ends.upper, 2)) == (9.68, 70.0)
    assert one["series"] == 5
    flags = rows_of(content, "Flags")
    assert [(row["flag"], row["series"]) for row in flags] == [
        ("derived-image", Share(1, 2)),
        ("incomplete", Share(1, 2)),
    ]
    assert all("not known" not in row["meaning"] for row in flags)
    assert {row["code"] for row in rows_of(content, "refused, by")} == {
        "no-weight", "missing-slices",
    }  # fmt: skip
    (figure,) = content.figures
    assert "102, GE Discovery 690: 1 refused at assembly" in figure.alternative


def test_a_series_that_was_not_measured_is_held_to_nothing_unless_a_finding_keeps_it():
    content = quality.conformance(
        Rows(
            {
                "series": [
                    series(1),
                    series(2),
                    series(3, None, state="assembled"),
                    series(4, None, state="assembled", scanner_manufacturer=None,
                           scanner_model=None),
                ],
                "conformance": [
                    finding(1),
                    finding(1, "ct-missing", "major", is_let_pass=True),
                    finding(4, "radionuclide-differs", "blocking"),
                ],
            }
        )
    )  # fmt: skip
    found = table(content, "Conformance to")
    by_scanner = {row["scanner"]: row for row in rows_of(content, "Conformance to")}
    named = by_scanner["GE Discovery 690"]
    assert (named["with_finding"], named["with_grave"], named["let_pass"]) == (
        Share(1, 2), Share(1, 2), 1,
    )  # fmt: skip
    assert by_scanner[quality.NO_SCANNER]["with_grave"] == Share(1, 1)
    assert found.missing == (("not held to the rules: not measured", 1),)
    assert [(row["label"], row["series"]) for row in rows_of(content, "do not keep")] == [
        ("Radionuclide", Share(1, 1)),
        ("CT", Share(1, 2)),
        ("Voxel size", Share(1, 2)),
    ]


def test_both_ends_of_the_window_belong_to_it_and_none_is_no_pass():
    content = quality.conformance(
        Rows(
            {
                "series": [series(number) for number in range(1, 7)],
                "scans": [scan(1, 30.0), scan(2, 60.0), scan(3, 25.0), scan(4, 72.5),
                          scan(5, None), scan(6, 40.0, None, None), scan(7, 10.0)],
            }
        )
    )  # fmt: skip
    (row,) = rows_of(content, "window")
    assert (row["inside"], row["early"], row["late"]) == (2, 1, 1)
    assert (row["earliest"], row["latest"]) == (-5.0, 12.5)
    assert dict(table(content, "window").missing) == {
        "no uptake time: no series counts, or the injection is not known": 1,
        "the protocol states no window": 1,
    }


def test_an_export_of_an_earlier_release_has_no_findings_and_claims_none():
    content = quality.conformance(Rows({"series": [series(1)]}))
    assert not [one for one in content.tables if "Conformance" in one.title]
