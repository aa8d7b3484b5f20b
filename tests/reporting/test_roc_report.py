"""The report of ROC curves: who counts with which truth, areas and tests of other programs."""

from __future__ import annotations

import pytest

from reporting.reports import roc, truths
from reporting.reports.content import Share
from reporting.reports.drawing import svg
from reporting.reports.rows import Rows

FIRST = [3.1, 2.2, 5.0, 1.0, 4.4, 2.2, 0.5, 1.9, 3.3, 2.0]
SECOND = [2.0, 3.0, 4.5, 1.5, 2.5, 2.6, 1.0, 0.8, 3.0, 2.9]
DISEASED = [True, True, True, False, True, False, True, False, True, False]
PTF, FDG = ("68Ga-Pentixafor", "ptf"), ("18F-FDG", "fdg")


def scan(number, patient, on=PTF, state="quantified"):
    return {"scan": number, "patient": patient, "tracer": on[0], "planned_scan": on[1],
            "state": state}  # fmt: skip


def finding(number, patient, value, test="SUVMAX", **more):
    return {"scan": number, "patient": patient, "test": test, "value_number": value,
            "lesion_number": None, "is_accepted": True} | more  # fmt: skip


def truth(patient, said="PRESENT", side=None, **more):
    return {"patient": patient, "truth": said, "side": side, "changed_unblinded_at": None} | more


def two_tracers():
    patients = [f"{at:03}" for at in range(10)]
    return {
        roc.TRUTH: [
            truth(one, "PRESENT" if so else "ABSENT")
            for one, so in zip(patients, DISEASED, strict=True)
        ],
        "scans": [scan(at, one) for at, one in enumerate(patients)]
        + [scan(100 + at, one, FDG) for at, one in enumerate(patients)],
        "findings": [
            finding(start + at, one, value)
            for start, values in ((0, FIRST), (100, SECOND))
            for at, (one, value) in enumerate(zip(patients, values, strict=True))
        ],
    }


def table(content, title):
    (found,) = (one for one in content.tables if title in one.title)
    return found


def rows_of(content, title):
    found = table(content, title)
    names = [one.name for one in found.columns]
    return [dict(zip(names, row, strict=True)) for row in found.rows]


def test_areas_and_their_paired_test_are_those_of_other_programs():
    content = roc.curves(Rows(two_tracers()))
    second, first = rows_of(content, "Area under")
    # scikit-learn 1.9.1, roc_auc_score; MLstatkit 0.1.91, Delong_test.
    assert (first["tracer"], first["first"], first["others"]) == ("68Ga-Pentixafor", 6, 4)
    cells = [(one["area"].value, one["area"].lower, one["area"].upper) for one in (first, second)]
    assert cells[0] == pytest.approx((0.8125, 0.4889162710189512, 1.0))
    assert cells[1] == pytest.approx((0.7083333333333333, 0.34678623115567236, 1.0))
    (apart,) = rows_of(content, "difference of the areas")
    assert (apart["first"], apart["n"]) == ("18F-FDG (fdg)", 10)
    assert abs(apart["z"]) == pytest.approx(0.5987558803105831)
    assert apart["p"].value == pytest.approx(0.5493356874078424)
    assert "DeLong, paired, two-sided." in table(content, "difference of the areas").notes


def test_cut_offs_are_those_of_scikit_learn():
    content = roc.curves(Rows(two_tracers()))
    found = rows_of(content, "Pentixafor (ptf): every cut-off")
    # roc_curve(..., drop_intermediate=False), from the second of its thresholds.
    assert [row["cut_off"] for row in found] == [5.0, 4.4, 3.3, 3.1, 2.2, 2.0, 1.9, 1.0, 0.5]
    assert [row["sensitive"].count for row in found] == [1, 2, 3, 4, 5, 5, 5, 5, 6]
    assert [4 - row["specific"].count for row in found] == [0, 0, 0, 0, 1, 2, 3, 4, 4]
    (best,) = [row for row in rows_of(content, "Youden") if "ptf" in row["tracer"]]
    assert (best["cut_off"], best["sensitive"], best["specific"]) == (3.1, Share(4, 6), Share(4, 4))
    figure = content.figures[0]
    assert "68Ga-Pentixafor (ptf) 0.812" in figure.alternative
    assert [line[1][0] for line in figure.drawing.lines] == [(0.0, 0.0)] * 2
    assert [line[1][-1] for line in figure.drawing.lines] == [(1.0, 1.0)] * 2
    assert svg(figure.drawing) == svg(figure.drawing)


def test_patients_without_a_truth_a_read_or_a_number_are_missing_by_that_name():
    rows = {
        roc.TRUTH: [
            truth("1"),
            truth("2", "ABSENT"),
            truth("3", "UNDECIDED"),
            truth("4"),
            truth("4", "ABSENT"),
            truth("6", changed_unblinded_at="2026-03-01"),
            truth("7", "ABSENT"),
        ],
        "scans": [scan(number, str(number)) for number in range(1, 9)]
        + [scan(99, "9", state="cancelled")],
        "findings": [
            *(finding(number, str(number), float(number)) for number in range(1, 6)),
            finding(6, "6", 4.0, is_accepted=False),
            finding(7, "7", 0.0, "LESNUM"),
            finding(8, "8", 9.0),
        ],
    }
    content = roc.curves(Rows(rows))
    (row,) = [one for one in rows_of(content, "Area under") if one["measure"].startswith("SUVmax")]
    assert dict(table(content, "every cut-off").missing) == {
        roc.NO_TRUTH: 2, truths.OPEN: 1, truths.TWO_TRUTHS: 1, roc.NO_READ: 1,
    }  # fmt: skip
    # The scan without a lesion counts with 0, below the one diseased.
    assert (row["first"], row["others"], row["area"].value) == (1, 2, 0.5)
    assert any("knowing the index test: 1." in note for note in table(content, "Area").notes)


def test_the_ratio_of_the_adrenals_tells_one_side_from_both():
    rows = {
        roc.TRUTH: [truth("1", side="LEFT"), truth("2", side="BILATERAL"),
                    truth("3", side="RIGHT"), truth("4", "ABSENT"), truth("5")],
        "scans": [scan(number, str(number)) for number in range(1, 6)],
        "findings": [
            finding(number, str(number), value, test)
            for number, ratio, index in ((1, 2.0, 0.7), (2, 1.1, 0.1), (3, 1.5, -0.4),
                                         (4, 1.2, 0.2), (5, 1.3, 0.3))
            for test, value in (("ADRRATIO", ratio), ("ADRINDEX", index))
        ],
    }  # fmt: skip
    content = roc.curves(Rows(rows))
    found = {one["measure"]: one for one in rows_of(content, "Area under")}
    ratio = found["Dominant over contralateral adrenal: one side, not both"]
    assert (ratio["first"], ratio["others"], ratio["area"].value) == (2, 1, 1.0)
    index = found["Left/right index of the adrenals: left, not right"]
    assert (index["first"], index["others"], index["area"].value) == (1, 1, 1.0)
    assert dict(table(content, "one side, not both, 68Ga").missing) == {
        roc.NO_SIDE: 2,
    }  # fmt: skip


def test_a_truth_of_one_class_or_no_read_is_not_estimable_and_says_why():
    rows = {roc.TRUTH: [truth("1")], "scans": [scan(1, "1")], "findings": [finding(1, "1", 5.0)]}
    (row,) = rows_of(roc.curves(Rows(rows)), "Area under")
    assert row["area"].reason == "not estimable: the truth has one class only"
    content = roc.curves(Rows({roc.TRUTH: [truth("1")]}))
    assert table(content, "Area under").missing == ((roc.NO_READ, 1),)
    (row,) = rows_of(content, "Area under")
    assert row["area"].reason == "not estimable: no read that counts has a number"
