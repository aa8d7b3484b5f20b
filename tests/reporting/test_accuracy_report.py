"""The reports of accuracy and of hypotheses: who counts with which truth, and what is missing."""

from __future__ import annotations

import pytest

from reporting.reports import accuracy, hypotheses, readings, truths
from reporting.reports.content import Share
from reporting.reports.drawing import svg
from reporting.reports.rows import Rows

PLANS = {"ptf": ("Pentixafor PET/CT", "68Ga-Pentixafor", 0), "fdg": ("FDG PET/CT", "18F-FDG", 500)}


def scan(at, plan="ptf", **more):
    label, tracer, start = PLANS[plan]
    return {"scan": start + at, "patient": f"{at:03}", "planned_scan": plan, "label": label,
            "tracer": tracer, "state": "quantified"} | more  # fmt: skip


def found(at, *regions, plan="ptf", negative=(), **more):
    """The findings of a read: its count of lesions, and of each lesion how it was seen."""
    common = {"scan": PLANS[plan][2] + at, "is_accepted": True} | more
    yield {"test": "LESNUM", "lesion_number": None, "location": None, "value_text": None} | common
    for number, region in enumerate(regions, 1):
        said = "negative" if number in negative else "positive"
        yield {"test": "SUVMAX", "lesion_number": number, "location": region,
               "value_text": None} | common  # fmt: skip
        yield {"test": "VISPOS", "lesion_number": number, "location": region,
               "value_text": said} | common  # fmt: skip


def of_patient(at, said="PRESENT"):
    return {"patient": f"{at:03}", "truth": said, "side": None, "changed_unblinded_at": None}


def of_lesion(at, region, said="PRESENT", **more):
    return {"patient": f"{at:03}", "region": region, "truth": said, "lesion_missing": None,
            "changed_unblinded_at": None, "record_pk": at} | more  # fmt: skip


def table(content, title):
    (one,) = (each for each in content.tables if title in each.title)
    return one


def rows_of(content, title):
    one = table(content, title)
    return [dict(zip([each.name for each in one.columns], row, strict=True)) for row in one.rows]


def yin():
    """Published counts of aldosteronism (Yin 2022): 17 of 19 found, 12 of 13 ruled out."""
    diseased = [True] * 19 + [False] * 13
    positive = [True] * 17 + [False] * 2 + [True] + [False] * 12
    return {
        truths.OF_PATIENT: [
            of_patient(at, "PRESENT" if so else "ABSENT") for at, so in enumerate(diseased)
        ],
        "scans": [scan(at) for at in range(32)],
        "findings": [
            row
            for at, so in enumerate(positive)
            for row in found(at, *(["adrenal_left"] if so else []))
        ],
    }


def test_rates_of_patients_are_those_published():
    content = accuracy.report(Rows(yin()))
    (counts,) = rows_of(content, "Reads against the truth")
    assert (counts["true_positive"], counts["false_negative"]) == (17, 2)
    assert (counts["true_negative"], counts["false_positive"]) == (12, 1)
    (rates,) = rows_of(content, "Sensitivity and specificity")
    assert round(rates["sensitivity"].value, 1) == 89.5
    assert round(rates["specificity"].value, 1) == 92.3
    (predicted,) = rows_of(content, "Predictive values")
    assert predicted["accuracy_count"] == Share(29, 32)
    (ratios,) = rows_of(content, "Likelihood ratios")
    # (17 / 19) / (1 / 13) and (2 / 19) / (12 / 13); their ratio is the odds ratio.
    assert ratios["positive_likelihood_ratio"].value == pytest.approx(17 * 13 / 19)
    assert ratios["negative_likelihood_ratio"].value == pytest.approx(2 * 13 / 19 / 12)
    (figure,) = content.figures
    assert "Sensitivity, patients: Pentixafor PET/CT (68Ga-Pentixafor) 89.5 %" in figure.alternative
    assert svg(figure.drawing) == svg(figure.drawing)


def test_a_patient_without_truth_or_read_is_missing_by_that_name():
    rows = yin()
    rows[truths.OF_PATIENT][0] = of_patient(0, "UNDECIDED")
    rows["findings"] = [one for one in rows["findings"] if one["scan"] not in (1, 2)]
    rows["scans"] = [one for one in rows["scans"] if one["scan"] != 2]
    # A repeat that was read too, and a scan that was cancelled.
    rows["scans"] += [scan(3, scan=900), scan(4, scan=901, state="cancelled")]
    rows["findings"] += [*found(900), *found(901)]
    content = accuracy.report(Rows(rows))
    assert dict(table(content, "Reads against").missing) == {
        truths.OPEN: 1, readings.NO_READ: 1, readings.NO_SCAN: 1, readings.SEVERAL_SCANS: 1,
    }  # fmt: skip
    (counts,) = rows_of(content, "Reads against the truth")
    assert counts["true_positive"] == 13
    assert counts["missing"].count("1 ") == 4


def test_a_lesion_called_negative_is_none():
    rows = yin()
    rows["findings"] = [
        row
        for at in range(32)
        for row in found(at, "adrenal_left", "liver", negative=(1, 2) if at < 2 else (1,))
    ]
    (counts,) = rows_of(accuracy.report(Rows(rows)), "Reads against the truth")
    assert (counts["true_positive"], counts["false_negative"]) == (17, 2)
    assert counts["true_negative"] == 0


def regions():
    """Two patients: three decided regions, one lesion each but for the liver of the first."""
    return {
        truths.OF_LESION: [
            of_lesion(1, "liver"),
            of_lesion(1, "liver", "ABSENT", record_pk=2),
            of_lesion(1, "spleen"),
            of_lesion(2, "spleen", "ABSENT"),
            of_lesion(2, "the groin"),
            of_lesion(2, "lung_left", "UNDECIDED"),
            of_lesion(2, "skin", lesion_missing="NA"),
        ],
        "scans": [scan(1), scan(2)],
        "findings": [*found(1, "liver", "liver", "bowel"), *found(2, "spleen")],
    }


def test_regions_and_lesions_are_held_to_the_panels():
    content = accuracy.report(Rows(regions()))
    of_regions, of_lesions = rows_of(content, "Reads against the truth")
    # The liver is diseased by one of its lesions; nothing is shown in the spleen of the first.
    names = ("true_positive", "false_positive", "false_negative", "true_negative")
    assert [of_regions[name] for name in names] == [1, 1, 2, 0]
    assert of_regions["missing"] == f"1 {truths.OPEN}; 1 {truths.NO_REGION}"
    # Which of the two in the liver is shown nobody knows; that of the skin is no lesion.
    assert [of_lesions[name] for name in names] == [0, 1, 1, 0]
    assert f"2 {readings.WHICH}" in of_lesions["missing"]
    assert f"1 {truths.WHOLE_REGION}" in of_lesions["missing"]
    notes = table(content, "Reads against").notes
    assert any("1 on Pentixafor PET/CT" in one for one in notes)
    assert any("it is the only one the panel named there" in one for one in notes)


def test_a_lesion_without_a_place_may_be_the_one_that_is_looked_for():
    rows = regions()
    rows["findings"] = [*found(1, "", "liver"), *found(2, "spleen")]
    of_regions, _ = rows_of(accuracy.report(Rows(rows)), "Reads against the truth")
    assert of_regions["false_negative"] == 1
    assert f"1 {readings.NOT_PLACED}" in of_regions["missing"]


def test_truths_that_an_export_keeps_back_are_missing_by_that_name():
    rows = yin()
    rows[truths.OF_PATIENT][0] = of_patient(0, None)
    (counts,) = rows_of(accuracy.report(Rows(rows)), "Reads against the truth")
    assert (counts["true_positive"], counts["missing"]) == (16, f"1 {truths.KEPT_BACK}")
    rows = two_scans() | {"hypotheses": [stated(1)]}
    rows[truths.OF_PATIENT][0] = of_patient(0, None)
    (row,) = rows_of(hypotheses.report(Rows(rows)), "What came out")
    assert (row["decision"], row["why"]) == ("not decided", hypotheses.BLIND)


def test_without_truth_or_read_the_report_says_why():
    assert accuracy.report(Rows({})).why_empty == accuracy.EMPTY
    rows = yin() | {"findings": []}
    assert accuracy.report(Rows(rows)).why_empty == accuracy.NOTHING_READ


# --------------------------------------------------------------------------- hypotheses


def stated(number=1, **more):
    return {"number": number, "hypothesis": f"H{number}", "label": f"The {number}. hypothesis",
            "objective": "P1", "kind": "superiority", "measure": "sensitivity",
            "level": "patient", "first_planned": "ptf", "second_planned": "fdg",
            "first_label": "Pentixafor PET/CT", "second_label": "FDG PET/CT", "margin": None,
            "alpha": 0.05, "variant": "exact", "population": None, "order": "hierarchical",
            "is_proposed": False, "version": 2} | more  # fmt: skip


NO_WORSE = {"kind": "non_inferiority", "measure": "specificity", "variant": None, "alpha": 0.05,
            "margin": 0.1}  # fmt: skip


def two_scans():
    """Diseased: both 6, Pentixafor alone 7, FDG alone 1, neither 3; 44 free of it (Tango 1998)."""
    pairs = [(True, True)] * 6 + [(True, False)] * 7 + [(False, True)] + [(False, False)] * 3
    # Right is negative here: 43 on both, one on FDG alone.
    free = [(False, False)] * 43 + [(True, False)]
    said = [*pairs, *free]
    return {
        truths.OF_PATIENT: [
            of_patient(at, "PRESENT" if at < len(pairs) else "ABSENT") for at in range(len(said))
        ],
        "scans": [scan(at, plan) for at in range(len(said)) for plan in PLANS],
        "findings": [
            row
            for at, pair in enumerate(said)
            for plan, so in zip(PLANS, pair, strict=True)
            for row in found(at, *(["liver"] if so else []), plan=plan)
        ],
    }


def test_each_hypothesis_is_tested_as_the_protocol_says_in_its_order():
    rows = two_scans() | {"hypotheses": [stated(2, **NO_WORSE), stated(1, variant="uncorrected")]}
    content = hypotheses.report(Rows(rows))
    better, no_worse = rows_of(content, "What came out")
    # Published P of these counts without the continuity correction, and Tango's Z 1.709.
    assert (better["first"], better["second"]) == (Share(13, 17), Share(7, 17))
    assert round(better["p"].value, 4) == 0.0339
    assert (no_worse["first"], no_worse["second"]) == (Share(43, 44), Share(44, 44))
    assert round(no_worse["p"].value, 3) == 0.044
    assert [better["decision"], no_worse["decision"]] == ["shown", "shown"]
    by = "Non-inferiority, Tango score (equal to Nam's), margin 0.1, one-sided."
    assert by in table(content, "What came out").notes
    asked = rows_of(content, "sets out to show")
    assert asked[1]["shown"] == (
        "Specificity per patient: Pentixafor PET/CT is no worse than FDG PET/CT by 10 points or "
        "more."
    )
    assert asked[1]["margin"] == pytest.approx(10)
    (figure,) = content.figures
    assert "margin -10" in figure.alternative
    assert svg(figure.drawing) == svg(figure.drawing)


def test_after_one_that_is_not_shown_none_is_tested():
    corrected = stated(1, variant="continuity-corrected")
    rows = two_scans() | {"hypotheses": [corrected, stated(2, **NO_WORSE)]}
    first, second = rows_of(hypotheses.report(Rows(rows)), "What came out")
    assert (first["decision"], round(first["p"].value, 4)) == ("not shown", 0.0771)
    assert (second["decision"], second["p"].value) == ("not tested", None)
    assert "not shown" in second["why"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"margin": None}, "the protocol does not state: margin"),
        ({"is_proposed": True}, hypotheses.PROPOSED),
        ({"order": None}, "the protocol does not state an order"),
        ({"population": "EVAL"}, hypotheses.NO_POPULATION),
    ],
)
def test_what_is_open_is_given_and_not_decided(changes, why):
    rows = two_scans() | {"hypotheses": [stated(1, **NO_WORSE | changes)]}
    (row,) = rows_of(hypotheses.report(Rows(rows)), "What came out")
    assert row["difference"].value == pytest.approx(-100 / 44)
    assert (row["decision"], row["why"]) == ("not decided", why)


def test_co_primary_hypotheses_are_told_together():
    rows = two_scans() | {
        "hypotheses": [stated(1, order="co_primary"), stated(2, order="co_primary", **NO_WORSE)]
    }
    content = hypotheses.report(Rows(rows))
    assert "All of them together: not shown." in table(content, "What came out").notes


def test_what_is_missing_is_named_and_the_worst_case_has_it_against_the_first():
    rows = two_scans() | {"hypotheses": [stated(1, variant="uncorrected")]}
    # Of a patient whom both show, Pentixafor was not read; of another FDG was not scanned.
    rows["findings"] = [one for one in rows["findings"] if one["scan"] not in (0, 501)]
    rows["scans"] = [one for one in rows["scans"] if one["scan"] != 501]
    content = hypotheses.report(Rows(rows))
    (counts,) = rows_of(content, "pairs behind it")
    assert (counts["n"], counts["both"], counts["first_only"]) == (15, 4, 7)
    assert f"1 first: {readings.NO_READ}" in counts["missing"]
    assert f"1 second: {readings.NO_SCAN}" in counts["missing"]
    (worst,) = rows_of(content, "worst case")
    assert (worst["first"], worst["second"]) == (Share(11, 17), Share(7, 17))
    whole = hypotheses.report(Rows(two_scans() | {"hypotheses": [stated(1)]}))
    assert not [one for one in whole.tables if "worst" in one.title]


def test_before_there_are_pairs_the_tables_say_so_and_have_no_worst_case():
    rows = two_scans() | {"hypotheses": [stated(1), stated(2, **NO_WORSE)], "findings": []}
    content = hypotheses.report(Rows(rows))
    for row in rows_of(content, "What came out"):
        assert (row["first"], row["second"], row["p"].value) == (None, None, None)
    counts = rows_of(content, "pairs behind it")
    assert counts[0]["missing"] == f"17 both: {readings.NO_READ}"
    assert not [one for one in content.parts if "worst" in one.title]
    assert not content.figures


def test_who_is_outside_the_population_does_not_count():
    inside = [
        {"patient": f"{at:03}", "population": "EVAL", "in_population": True, "decided": None}
        for at in range(16)
    ]
    rows = two_scans() | {"hypotheses": [stated(1, population="EVAL")], "populations": inside}
    content = hypotheses.report(Rows(rows))
    (counts,) = rows_of(content, "pairs behind it")
    assert (counts["n"], counts["missing"]) == (16, "1 not in the population EVAL")
    assert any("without a signed review" in one for one in table(content, "What came out").notes)


def test_lesions_are_tested_over_patients_and_detection_needs_no_truth():
    def pair(at, first, second, **more):
        return {"patient": f"{at:03}", "first_scan": at, "second_scan": 500 + at, "reader": 1,
                "first_lesion": 1 if first else None, "second_lesion": 1 if second else None,
                "first_positivity": "positive", "second_positivity": "positive",
                "outcome": "both"} | more  # fmt: skip

    glands = [(0, 2, 3), (0, 1, 3), (0, 0, 3), (0, 0, 1), (0, 1, 3), (0, 0, 4), (0, 0, 3),
              (0, 0, 2), (1, 0, 2), (0, 0, 1), (0, 0, 3), (0, 0, 2), (0, 0, 3), (0, 0, 2),
              (0, 2, 2), (0, 0, 3), (0, 0, 3), (0, 1, 3), (0, 0, 2), (0, 0, 1),
              (0, 0, 2)]  # fmt: skip
    pairs = [
        pair(at, so[0], so[1])
        for at, (b, c, n) in enumerate(glands)
        for so in [(True, False)] * c + [(False, True)] * b + [(True, True)] * (n - b - c)
    ]
    one = stated(1, measure="detection", level="lesion", variant="Durkalski")
    rows = {
        "hypotheses": [one],
        "scans": [scan(at, plan) for at in range(21) for plan in PLANS],
        "pairs": [*pairs, pair(0, False, True, outcome="not-covered")],
    }
    content = hypotheses.report(Rows(rows))
    (row,) = rows_of(content, "What came out")
    # Durkalski et al 2003, chi-square 2.32 of one degree of freedom.
    assert row["p"].value == pytest.approx(0.1277, abs=5e-4)
    (counts,) = rows_of(content, "pairs behind it")
    assert (counts["counted"], counts["missing"]) == (
        "lesions in 21 patients", f"1 {hypotheses.NOT_COVERED}"
    )  # fmt: skip
    # The scans in the other order are the same comparison.
    turned = [
        dict(each, first_scan=each["second_scan"], second_scan=each["first_scan"],
             first_lesion=each["second_lesion"], second_lesion=each["first_lesion"])
        for each in rows["pairs"]
    ]  # fmt: skip
    (again,) = rows_of(hypotheses.report(Rows(rows | {"pairs": turned})), "What came out")
    assert again["difference"] == row["difference"]
    hidden = [*rows["pairs"], pair(3, True, True, first_scan=None, second_scan=None)]
    (kept,) = rows_of(hypotheses.report(Rows(rows | {"pairs": hidden})), "What came out")
    assert (kept["decision"], kept["why"]) == ("not decided", hypotheses.BLIND)
    both = [*rows["pairs"], pair(3, True, True, reader=2)]
    (refused,) = rows_of(hypotheses.report(Rows(rows | {"pairs": both})), "What came out")
    assert (refused["decision"], refused["why"]) == (
        "not decided", "2 readers signed comparisons, and which counts is not stated"
    )  # fmt: skip


def test_a_protocol_without_hypotheses_says_so():
    assert hypotheses.report(Rows({"hypotheses": []})).why_empty == hypotheses.EMPTY
