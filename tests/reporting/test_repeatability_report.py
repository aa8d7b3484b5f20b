"""The report of repeatability: which scans compare, which lesions are one, what each number is."""

from __future__ import annotations

import numpy as np
import pytest

from reporting.reports import repeatability
from reporting.reports.content import Table
from reporting.reports.drawing import svg
from reporting.reports.repeats import repeats
from reporting.reports.rows import Rows
from reporting.selectors import report_rows
from tests.reporting import retested

# Peak expiratory flow in L/min, first and second reading by the large meter: Bland & Altman, Lancet
# 1986;i:307, table 1. Their within-subject SD of it is 15.3 L/min, the coefficient of
# repeatability 2 sqrt(2) times that (their 43.2 from 21.6 for the SD of differences).
LARGE = (494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427)
AGAIN = (490, 397, 512, 401, 470, 611, 415, 431, 638, 429, 420, 633, 275, 492, 165, 372, 421)


def pair(at, **given):
    """A row of retests: scan 10 * at and the one after it."""
    return {
        "usubjid": f"T-{at:03}", "first_scan": 10 * at, "second_scan": 10 * at + 1,
        "first_planned": "a", "second_planned": "b", "tracer": "PTF", "is_comparable": True,
        "refusals": None, "cautions": None, "interval_hours": 48.0,
        "uptake_difference_minutes": 1.5, "activity_difference": -4.0, "compared": "suvmax",
        "organs": None, **given,
    }  # fmt: skip


def comparison(at, reader=7, **given):
    return {"kind": "times", "reader": reader, "usubjid": f"T-{at:03}", "first_scan": 10 * at,
            "second_scan": 10 * at + 1, **given}  # fmt: skip


def place(at, number, outcome="both", **given):
    return {**comparison(at), "first_lesion": number, "second_lesion": number, "first_parts": 0,
            "second_parts": 0, "outcome": outcome, **given}  # fmt: skip


def finding(scan, value, lesion=1, *, reader=7, test="SUVMAX", **given):
    return {"scan": scan, "reader": reader, "role": "reader", "read": 1000 + scan,
            "lesion_number": lesion, "test": test, "value_number": value, "unit": "g/mL",
            "method": None, **given}  # fmt: skip


def both(at, first, second, lesion=1):
    return [finding(10 * at, first, lesion), finding(10 * at + 1, second, lesion)]


def one_lesion_each(firsts, seconds):
    marks = range(1, len(firsts) + 1)
    return {
        "retests": [pair(at) for at in marks],
        "comparisons": [comparison(at) for at in marks],
        "pairs": [place(at, 1) for at in marks],
        "findings": [
            row
            for at, first, second in zip(marks, firsts, seconds, strict=True)
            for row in both(at, float(first), float(second))
        ],
    }


def table(content, title) -> Table:
    return next(one for one in content.tables if one.title.startswith(title))


def cells(found: Table, row=0):
    return dict(zip((column.name for column in found.columns), found.rows[row], strict=True))


def missing(rows, level="lesions"):
    (found,) = (one for one in repeats(Rows(rows)) if one.level == level)
    return dict(found.missing)


def test_numbers_are_those_bland_and_altman_printed():
    content = repeatability.report(Rows(one_lesion_each(LARGE, AGAIN)))
    spread = cells(table(content, "Repeatability"))
    assert (spread["n"], spread["patients"]) == (17, 17)
    assert spread["wsd"].value == pytest.approx(15.3, abs=0.05)
    assert spread["rc"].value == pytest.approx(1.96 * 2**0.5 * 15.3, abs=0.15)
    # Closed forms: the coefficient of variation over the mean of all, one-way ICC from squares.
    values = np.array([LARGE, AGAIN], dtype=float)
    assert spread["wcv"].value == pytest.approx(100 * spread["wsd"].value / values.mean())
    between = 2 * values.mean(axis=0).var(ddof=1)
    within = spread["wsd"].value ** 2
    assert spread["icc"].value == pytest.approx((between - within) / (between + within))
    assert spread["icc"].lower < spread["icc"].value < spread["icc"].upper
    bias = cells(table(content, "Limits of agreement"))["bias"]
    assert bias.value == pytest.approx(values[1].mean() - values[0].mean())


def test_limits_in_percent_come_from_logarithms():
    # All retests 1.1 or 1 / 1.1 times the test: the SD of a logarithm is ln(1.1) / sqrt(2).
    content = repeatability.report(
        Rows(one_lesion_each([10.0, 11.0, 20.0, 22.0], [11.0, 10.0, 22.0, 20.0]))
    )
    found = cells(table(content, "Repeatability in percent"))
    assert found["rc_high"].value == pytest.approx(100 * (1.1**1.96 - 1))
    assert found["rc_low"].value == pytest.approx(100 * (1.1**-1.96 - 1))
    assert found["rc_low"].lower < found["rc_low"].value < found["rc_low"].upper
    assert found["bias"].value == pytest.approx(0, abs=1e-9)


def test_a_figure_shows_number_and_percent_of_each_reader_with_words_for_who_does_not_see():
    rows = one_lesion_each([10.0, 11.0, 20.0], [11.0, 10.0, 22.0])
    rows["comparisons"] += [comparison(at, reader=9) for at in (1, 2, 3)]
    rows["pairs"] += [{**one, "reader": 9} for one in rows["pairs"]]
    rows["findings"] += [{**one, "reader": 9} for one in rows["findings"]]
    (figure,) = repeatability.report(Rows(rows)).figures
    assert figure.title == "SUVmax of lesions, PTF, a and b: retest less test"
    assert (figure.n, figure.of) == (6, "lesions measured on both scans, each reader apart")
    first, second = figure.drawing.rows
    assert [one.title for one in first] == ["Reader 7, n = 3 in 3 patients"] * 2
    assert [one.title for one in second] == ["Reader 9, n = 3 in 3 patients"] * 2
    plain, percent = (one.plot for one in first)
    assert plain.points[0] == (10.5, 1.0)
    assert percent.points[0] == pytest.approx((110**0.5, 10.0))
    assert (plain.up, percent.up) == ("Retest less test, g/mL", "Retest less test, %")
    assert len(plain.bands) == len(percent.bands) == 3
    assert figure.alternative.startswith("Scatter of differences over means. Reader 7")
    assert figure.alternative.count("limits of agreement") == 4
    # As SVG it has a pair of axes a panel.
    assert svg(figure.drawing).count(b'id="axes_') == 4


def test_numbers_that_have_no_logarithm_leave_the_panel_of_percent_empty():
    rows = one_lesion_each([10.0, 0.0, 20.0], [11.0, 1.0, 22.0])
    rows["comparisons"] += [comparison(at, reader=9) for at in (1, 2, 3)]
    rows["pairs"] += [{**one, "reader": 9} for one in rows["pairs"]]
    rows["findings"] += [
        {**one, "reader": 9, "value_number": one["value_number"] + 1} for one in rows["findings"]
    ]
    (figure,) = repeatability.report(Rows(rows)).figures
    assert [len(row) for row in figure.drawing.rows] == [1, 2]
    assert svg(figure.drawing).count(b'id="axes_') == 4


def test_scans_of_two_tracers_have_tables_of_their_own():
    rows = one_lesion_each([10.0, 11.0, 20.0, 21.0], [11.0, 10.0, 22.0, 20.0])
    for one in rows["retests"][2:]:
        one["tracer"] = "FDG"
    content = repeatability.report(Rows(rows))
    titles = [one.title for one in content.tables]
    assert [one for one in titles if one.startswith("Repeatability: ")] == [
        "Repeatability: FDG, a and b",
        "Repeatability: PTF, a and b",
    ]
    assert [one.n for one in content.tables if one.title.startswith("Repeatability: ")] == [2, 2]


def test_what_does_not_compare_is_counted_by_its_reason_and_in_no_number():
    rows = one_lesion_each([10.0, 11.0, 90.0], [11.0, 10.0, 10.0])
    rows["retests"][2] = pair(
        3, is_comparable=False, refusals="uptake-time-differs scanner-differs",
        cautions="residual-not-measured",
    )  # fmt: skip
    content = repeatability.report(Rows(rows))
    first = table(content, "Test and retest scans")
    assert first.n == 2
    assert first.missing == (("uptake times differ by more than the protocol allows", 1),)
    refused = cells(first, row=2)
    assert (refused["compares"], refused["known"]) == ("no", "a residual activity not measured")
    assert refused["why"].endswith("; another scanner")
    spread = table(content, "Repeatability")
    assert cells(spread)["n"] == 2
    why = "uptake times differ by more than the protocol allows (both scans)"
    assert dict(spread.missing)[why] == 1
    assert cells(table(content, "What is missing"))["missing"] == f"1 {why}"


def test_a_lesion_that_is_not_one_on_both_scans_is_missing_by_name():
    rows = one_lesion_each([10.0], [11.0])
    rows["pairs"] += [
        place(1, 2, "first-only"),
        place(1, 3, "not-covered"),
        place(1, 4, first_parts=1),
        place(1, 5),
        place(1, 6),
    ]
    rows["findings"] += [finding(10, 5.0, 6, unit="1"), finding(11, 5.0, 6)]
    assert missing(rows) == {
        "lesions on one of the two scans alone": 1,
        "lesions outside the other scan": 1,
        "lesions split or merged between the scans": 1,
        "without a number on one of the two scans": 1,
        "not measured in one way on both scans": 1,
    }


def test_a_scan_that_a_reader_read_twice_over_gives_no_number():
    rows = one_lesion_each([10.0, 12.0], [11.0, 12.5])
    rows["findings"].append(finding(20, 12.0, read=5))
    assert missing(rows) == {"with several reads of a scan by the reader": 1}


def test_an_adjudicator_is_no_reader_and_two_readers_stand_apart():
    rows = one_lesion_each([10.0], [11.0])
    rows["comparisons"].append(comparison(1, reader=9))
    rows["pairs"].append({**place(1, 1), "reader": 9})
    rows["findings"] += [
        finding(10, 99.0, role="adjudicator", read=5),
        *(finding(scan, 8.0, reader=9) for scan in (10, 11)),
    ]
    found = [(one.reader, one.first) for one in repeats(Rows(rows)) if one.level == "lesions"]
    assert found == [("7", [10.0]), ("9", [8.0])]


def test_test_and_retest_go_by_the_protocol_where_the_comparison_has_them_the_other_way():
    rows = one_lesion_each([10.0], [11.0])
    turned = {"first_scan": 11, "second_scan": 10}
    rows["comparisons"] = [comparison(1, **turned)]
    rows["pairs"] = [place(1, 1, **turned)]
    (found,) = (one for one in repeats(Rows(rows)) if one.level == "lesions")
    assert (found.first, found.second) == ([10.0], [11.0])


def test_lesions_of_a_patient_leave_an_icc_without_an_interval_and_say_how_intervals_count():
    rows = one_lesion_each([10.0, 14.0, 8.0], [11.0, 13.0, 8.5])
    rows["pairs"].append(place(1, 2))
    rows["findings"] += both(1, 6.0, 6.6, lesion=2)
    spread = table(repeatability.report(Rows(rows)), "Repeatability")
    found = cells(spread)
    assert (found["n"], found["patients"]) == (4, 3)
    assert found["icc"].value is not None
    assert found["icc"].lower is None
    assert any("robust over patients" in note for note in spread.notes)


def test_patients_and_organs_have_rows_of_their_own():
    rows = one_lesion_each([10.0, 14.0], [11.0, 13.0])
    rows["retests"] = [pair(at, compared="suvmax volume", organs="liver") for at in (1, 2)]
    rows["findings"] += [
        finding(scan, value, None, test="VOLUME", unit="mL")
        for scan, value in ((10, 5.0), (11, 5.5), (20, 2.0), (21, 2.4))
    ]
    sphere = {"region_kind": "liver"}
    rows["organs"] = [
        {**sphere, "scan": scan, "suvmean": value}
        for scan, value in ((10, 4.0), (11, 4.2), (20, 3.9), (20, 3.8), (21, 4.1))
    ]
    found = {(one.level, one.quantity): one for one in repeats(Rows(rows))}
    whole = found["patients", "Volume"]
    assert (whole.first, whole.second, whole.unit) == ([5.0, 2.0], [5.5, 2.4], "mL")
    liver = found["Liver", "SUVmean"]
    assert (liver.first, liver.second) == ([4.0], [4.2])
    assert liver.missing == (("with several spheres in the organ on a scan", 1),)


def test_a_test_scan_without_a_retest_and_a_trial_without_any_say_so():
    rows = one_lesion_each([10.0], [11.0])
    rows["scans"] = [
        {"usubjid": name, "planned_scan": "a", "state": "quantified"} for name in ("T-001", "T-9")
    ]
    first = table(repeatability.report(Rows(rows)), "Test and retest scans")
    assert first.missing == (("test scans measured without a retest that is scheduled", 1),)
    assert repeatability.report(Rows({"retests": []})).why_empty == repeatability.EMPTY


def test_before_anything_is_compared_the_report_says_what_lacks():
    rows = {"retests": [pair(1, organs="liver", compared=None)]}
    content = repeatability.report(Rows(rows))
    assert not content.figures
    lacking = table(content, "What is missing")
    assert lacking.n == 0
    assert dict(lacking.missing) == {
        "without a sphere that a reader stands for on one of the two scans": 1
    }


@pytest.mark.django_db
def test_rows_say_which_scans_are_test_and_retest_and_whether_they_compare():
    trial = retested.make_retested().trial
    good, bad = report_rows.read(trial, ["retests"])["retests"]
    assert good["is_comparable"]
    assert (good["first_planned"], good["second_planned"]) == (retested.TEST, retested.RETEST)
    assert (good["interval_hours"], good["uptake_difference_minutes"]) == (48.0, 2.5)
    assert isinstance(good["activity_difference"], float)
    assert good["first_reconstruction"] == "OSEM, 4 x 4 x 3 mm"
    assert good["compared"] == "suvmax volume"
    assert good["cautions"] == "residual-not-measured no-limit-of-activity"
    assert not bad["is_comparable"]
    assert bad["refusals"] == "uptake-time-differs reconstruction-differs"
