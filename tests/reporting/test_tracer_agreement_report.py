"""Agreement of two tracers: what kappa is of, what it is not defined for, what stands in for it."""

from __future__ import annotations

import pytest

from reporting.reports import tracer_agreement, tracers
from reporting.reports.content import Share
from reporting.reports.rows import Rows
from reporting.statistics.agreement import (
    CONSTANT,
    clustered_specific_agreement,
    specific_agreement,
)
from reporting.statistics.paired import PairedTable, summed

TRACERS = {"kind": "tracers", "first_tracer": "PTF", "second_tracer": "FDG", "reader": 1}
# Yin 2024 as PET beside sampling: 13, 4, 2, 7 of 26, kappa 0.516 (0.182 to 0.849), positive
# agreement .8125 and negative .700.
PUBLISHED = (
    [("positive", "positive")] * 13 + [("positive", "negative")] * 4
    + [("negative", "positive")] * 2 + [("negative", "negative")] * 7
)  # fmt: skip


def pair(patient, first, second, *, lesions=(1, 1)):
    return TRACERS | {
        "patient": patient, "body_region": "liver", "outcome": "both",
        "first_lesion": lesions[0], "second_lesion": lesions[1],
        "first_positivity": first, "second_positivity": second, "first_parts": 0,
        "second_parts": 0, "first_suvmax": 6.0, "second_suvmax": 3.0,
    }  # fmt: skip


def agreement(pairs):
    patients = {one["patient"] for one in pairs}
    comparisons = [TRACERS | {"patient": one} for one in sorted(patients)]
    content = tracers.compared(Rows({"comparisons": comparisons, "pairs": pairs}))
    (found,) = (one for one in content.tables if one.title.endswith("agreement of the tracers"))
    names = [column.name for column in found.columns]
    return found, {row[0]: dict(zip(names, row, strict=True)) for row in found.rows}


def ends(cell):
    return [round(one, 3) for one in (cell.value, cell.lower, cell.upper)]


def test_patients_and_lesions_outlined_on_both_scans_have_the_published_kappa():
    found, rows = agreement([pair(str(at), *said) for at, said in enumerate(PUBLISHED)])
    for level in ("Patients", tracer_agreement.ON_BOTH):
        row = rows[level]
        assert (row["n"], row["patients"], row["alike"]) == (26, 26, Share(20, 26))
        assert ends(row["kappa"]) == [0.516, 0.182, 0.849]
        assert round(row["agreement"].value, 1) == 76.9
        assert (row["positive"].value, row["negative"].value) == pytest.approx((0.8125, 0.7))
    assert "95% intervals: Wilson; Fleiss-Cohen-Everitt; Wilson over patients." in found.notes
    assert tracer_agreement.DEPENDENT not in found.notes


def test_lesions_that_either_tracer_shows_have_no_kappa_by_name_and_positive_agreement_instead():
    found, rows = agreement([pair(str(at % 9), *said) for at, said in enumerate(PUBLISHED)])
    row = rows[tracer_agreement.LESIONS]
    why = f"not estimable: {tracer_agreement.OF_NEITHER}"
    assert (row["n"], row["patients"], row["alike"]) == (19, 9, Share(13, 19))
    assert [(row[name].value, row[name].reason) for name in ("kappa", "negative")] == [
        (None, why)
    ] * 2
    assert row["positive"].value == pytest.approx(26 / 32)
    assert row["positive"].lower < row["positive"].value < row["positive"].upper
    assert tracer_agreement.KAPPA_OF_LESIONS in found.notes
    assert dict(found.missing)[f"positive on neither tracer ({tracer_agreement.LESIONS})"] == 7


def test_intervals_of_lesions_count_patients():
    """Each patient's lesions three times over tell nothing more."""
    once = [pair(str(at % 9), *said) for at, said in enumerate(PUBLISHED)]
    (_, few), (found, many) = agreement(once), agreement(once * 3)
    few, many = few[tracer_agreement.ON_BOTH], many[tracer_agreement.ON_BOTH]
    assert (few["n"], many["n"], many["patients"]) == (26, 78, 9)
    assert ends(many["kappa"]) == ends(few["kappa"])
    # A design effect counts as one at least, where patients are alike by chance.
    assert ends(many["positive"])[0] == ends(few["positive"])[0]
    assert tracer_agreement.DEPENDENT in found.notes
    assert any("Yang-Zhou over patients, t" in note for note in found.notes)


def test_positivity_that_a_reader_did_not_state_is_missing_by_its_level():
    pairs = [pair(str(at), *said) for at, said in enumerate(PUBLISHED)]
    pairs += [pair("1", "positive", "not_stated"), pair("2", "positive", None, lesions=(3, None))]
    found, rows = agreement(pairs)
    assert rows[tracer_agreement.ON_BOTH]["n"] == 26
    why = f"{tracer_agreement.NOT_STATED} ({tracer_agreement.ON_BOTH})"
    assert dict(found.missing)[why] == 1


def test_one_side_that_says_the_same_throughout_is_flagged_with_its_level():
    found, rows = agreement(
        [pair(str(at), "positive", "positive" if at % 2 else "negative") for at in range(6)]
    )
    assert rows[tracer_agreement.ON_BOTH]["kappa"].value == 0
    assert any(
        CONSTANT in note and tracer_agreement.ON_BOTH in note for note in found.notes
    )  # fmt: skip


TABLES = [
    PairedTable(both=2, first_only=1, second_only=0, neither=1),
    PairedTable(both=0, first_only=2, second_only=1, neither=0),
    PairedTable(both=4, first_only=0, second_only=0, neither=3),
    PairedTable(both=1, first_only=1, second_only=1, neither=2),
]


def test_specific_agreement_over_clusters_estimates_what_it_does_over_units():
    over, plain = clustered_specific_agreement(TABLES), specific_agreement(summed(TABLES))
    assert [one.estimate for one in over] == pytest.approx([one.estimate for one in plain])
    assert [one.n for one in over] == [19, 19]
    # The same patients three times over are as many patients more.
    wide, narrow = over[0].interval, clustered_specific_agreement(TABLES * 3)[0].interval
    assert wide.lower < narrow.lower < narrow.upper < wide.upper


def test_the_spread_of_specific_agreement_is_that_of_leaving_clusters_out():
    """An error made in another way: the jackknife over many patients."""
    tables = TABLES * 25
    (found, _) = clustered_specific_agreement(tables)
    left = [
        specific_agreement(summed(tables[:at] + tables[at + 1 :]))[0].estimate for at in range(4)
    ]
    mean = sum(left) / 4
    m = len(tables)
    error = ((m - 1) / m * 25 * sum((one - mean) ** 2 for one in left)) ** 0.5
    half = (found.interval.upper - found.interval.lower) / 2
    assert half / 1.959964 == pytest.approx(error, rel=0.03)
