"""Deauville scores from SUV, and every row of the Lugano table."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.response.lugano import DeauvilleUptake, LuganoReading, deauville, lugano

UPTAKE = DeauvilleUptake(
    lesion=0.0,
    surroundings=0.5,
    mediastinum=1.5,
    liver=2.0,
    has_new_lesion=False,
    statistic="SUVmax",
)


def score(tracer="FDG", marked_factor=2.0, **values):
    return deauville(replace(UPTAKE, **values), marked_factor=marked_factor, tracer=tracer)


@pytest.mark.parametrize(
    ("lesion", "expected"),
    [
        (0.0, "1"),
        (0.5, "1"),
        (0.500001, "2"),
        (1.5, "2"),
        (1.499999, "2"),
        (1.500001, "3"),
        (2.0, "3"),
        (1.999999, "3"),
        (2.000001, "4"),
        (4.0, "4"),
        (3.999999, "4"),
        (4.000001, "5"),
    ],
)
def test_score_by_what_the_lesion_exceeds(lesion, expected):
    assert score(lesion=lesion).category == expected


def test_what_is_markedly_above_is_protocol_data():
    assert score(lesion=5.0, marked_factor=2.0).category == "5"
    assert score(lesion=5.0, marked_factor=3.0).category == "4"
    assert score(lesion=5.0, marked_factor=1.0).category == "NE"


def test_a_new_lesion_is_score_five():
    assert score(lesion=0.0, has_new_lesion=True).category == "5"


def test_the_score_says_what_it_rests_on():
    found = score(lesion=3.0, tracer="68Ga-Pentixafor")
    assert found.why == (
        "Deauville five-point scale 4: SUVmax of 3.0 g/mL is above the liver, at most 2 times it "
        "(4.0 g/mL)."
    )
    assert [one.value for one in found.numbers] == [3.0, 0.5, 1.5, 2.0, 2.0]
    assert found.flags == ("scale-made-for-fdg",)


@given(
    place=st.sampled_from(["lesion", "surroundings", "mediastinum", "liver"]),
    value=st.sampled_from([None, float("nan"), float("inf"), -0.1]),
    is_new=st.booleans(),
)
def test_what_is_not_measured_gives_no_score(place, value, is_new):
    found = score(**({"lesion": 1.0, "has_new_lesion": is_new} | {place: value}))
    assert (found.category, found.numbers) == ("NE", ())


@pytest.mark.parametrize("place", ["surroundings", "mediastinum", "liver"])
def test_nothing_is_compared_with_zero(place):
    assert score(lesion=0.0, **{place: 0.0}).category == "NE"


def read(score="4", uptake="reduced", has_new_foci=False, marrow="none", tracer="FDG"):
    return lugano(
        LuganoReading(score=score, uptake=uptake, has_new_foci=has_new_foci, marrow=marrow),
        tracer=tracer,
    )


@pytest.mark.parametrize(
    ("values", "category"),
    [
        ({"score": "1", "uptake": None}, "CMR"),
        ({"score": "2"}, "CMR"),
        ({"score": "3"}, "CMR"),
        ({"score": "4"}, "PMR"),
        ({"score": "5"}, "PMR"),
        ({"marrow": "reduced"}, "PMR"),
        ({"uptake": "unchanged"}, "SMD"),
        ({"uptake": "unchanged", "marrow": "unchanged"}, "SMD"),
        ({"uptake": "increased"}, "PMD"),
        ({"score": "5", "has_new_foci": True}, "PMD"),
        ({"marrow": "new"}, "PMD"),
        # Persistent marrow beside a nodal response: "biopsy or interval scan".
        ({"marrow": "unchanged"}, "NE"),
        ({"score": "3", "marrow": "reduced"}, "NE"),
        # New foci are score 5 by the scale.
        ({"score": "3", "has_new_foci": True}, "NE"),
        ({"score": "2", "marrow": "new"}, "NE"),
        ({"score": "X"}, "NE"),
    ],
)
def test_rows_of_the_table(values, category):
    assert read(**values).category == category


def test_the_whole_table_by_count():
    """All 3 × 4 readings of each score, and what the published rows cover of them.

    By hand, for one score of 4 or 5 (uptake × new foci × marrow = 3 × 2 × 4 = 24): 12 with new
    foci, 3 with new marrow only, 3 increased of the rest are PMD: 18; PMR and SMD 2 each.
    For a score of 1 to 3: no new foci and marrow none, whatever the uptake: 3.
    """
    found = Counter(
        (score in "45", read(score, uptake, new, marrow).category)
        for score, uptake, new, marrow in product(
            "12345",
            ["reduced", "unchanged", "increased"],
            [False, True],
            ["none", "reduced", "unchanged", "new"],
        )
    )
    assert found == {
        (True, "PMD"): 36,
        (True, "PMR"): 4,
        (True, "SMD"): 4,
        (True, "NE"): 4,
        (False, "CMR"): 9,
        (False, "NE"): 63,
    }


@pytest.mark.parametrize("missing", ["score", "uptake", "has_new_foci", "marrow"])
def test_what_nobody_said_gives_no_category(missing):
    assert read(**{missing: None}).category == "NE"


@pytest.mark.parametrize("missing", ["uptake", "marrow"])
def test_new_foci_are_progression_however_known_sites_compare(missing):
    """Table 3 of Cheson et al.: of what was there before, nothing may be left to compare."""
    assert read("5", has_new_foci=True, **{missing: None}).category == "PMD"
    assert read("5", marrow="new", uptake=None).category == "PMD"
    assert read("3", has_new_foci=True, **{missing: None}).category == "NE"


def test_sentence_and_flag():
    found = read(tracer="68Ga-Pentixafor")
    assert found.why == "Lugano 2014 PMR: score 4; less uptake than at baseline."
    assert [(one.name, one.value) for one in found.numbers] == [("Deauville score", 4.0)]
    assert found.flags == ("scale-made-for-fdg",)
    assert "biopsy, MRI or a later scan" in read(marrow="unchanged").why
    assert "biopsy, MRI or a later scan" in read("3", marrow="reduced").why
    assert "new foci are score 5" in read("3", has_new_foci=True).why
    assert "new foci are score 5" in read("3", marrow="new").why
