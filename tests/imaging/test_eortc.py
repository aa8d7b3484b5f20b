"""EORTC 1999 at, under and over its cuts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.response.eortc import EortcReading, EortcScan, eortc


def judged(before, after, cycles=2, suv_types=("BSA", "BSA"), tracer="FDG", is_gone=False, **said):
    answers = {"has_new_lesion": False, "has_grown": False, "is_resolved": False} | said
    return eortc(
        EortcScan(suv=before, suv_type=suv_types[0]),
        EortcScan(suv=after, suv_type=suv_types[1], is_gone=is_gone),
        EortcReading(**answers),
        cycles=cycles,
        tracer=tracer,
    )


@pytest.mark.parametrize(
    ("after", "one_cycle", "more"),
    [
        (8.5, "PMR", "SMD"),
        (8.500001, "SMD", "SMD"),
        (8.499999, "PMR", "SMD"),
        # "Greater than 25 %" after more than one cycle: BMC Cancer 2012;12:502, table 2.
        (7.5, "PMR", "SMD"),
        (7.500001, "PMR", "SMD"),
        (7.499999, "PMR", "PMR"),
        (10.0, "SMD", "SMD"),
        (12.5, "SMD", "SMD"),
        (12.499999, "SMD", "SMD"),
        (12.500001, "PMD", "PMD"),
        (0.0, "PMR", "PMR"),
    ],
)
def test_categories_from_an_suv_of_ten(after, one_cycle, more):
    assert judged(10.0, after, cycles=1).category == one_cycle
    assert judged(10.0, after, cycles=2).category == more


@pytest.mark.parametrize("said", ["has_new_lesion", "has_grown"])
def test_a_new_or_longer_lesion_is_progression(said):
    assert judged(10.0, 1.0, is_resolved=True, **{said: True}).category == "PMD"


def test_resolved_uptake_is_complete_response():
    assert judged(10.0, 9.0, is_resolved=True).category == "CMR"


def test_a_lesion_that_is_resolved_need_not_be_measured_and_any_other_must():
    assert judged(10.0, None, is_resolved=True).category == "CMR"
    assert judged(10.0, None, is_resolved=True, has_new_lesion=True).category == "PMD"
    assert judged(10.0, None).category == "NE"


def test_the_sentence_and_the_numbers():
    found = judged(10.0, 8.0, cycles=1)
    assert found.why == (
        "EORTC 1999 PMR: SUV went from 10.0 to 8.0 (-20.0 %); at least 15 % less after one cycle."
    )
    assert judged(10.0, 8.0).why == (
        "EORTC 1999 SMD: SUV went from 10.0 to 8.0 (-20.0 %); neither more than 25 % less "
        "after more than one cycle nor more than 25 % more."
    )
    assert [(one.value, one.unit) for one in found.numbers] == [
        (10.0, "cm2/mL"),
        (8.0, "cm2/mL"),
        (-20.0, "%"),
        (1.0, ""),
    ]


@pytest.mark.parametrize("types", [("BSA", "BW"), ("", ""), ("BW", "")])
def test_suv_of_two_normalisations_are_not_compared(types):
    assert judged(10.0, 5.0, suv_types=types).category == "NE"


def test_nothing_is_judged_before_treatment():
    assert judged(10.0, 5.0, cycles=0).category == "NE"


@given(
    before=st.sampled_from([None, float("nan"), float("inf"), -1.0, 0.0]),
    after=st.floats(0, 50),
    said=st.booleans(),
)
def test_what_is_not_measured_gives_no_category(before, after, said):
    found = judged(before, after, has_grown=said, is_resolved=said)
    assert (found.category, found.numbers) == ("NE", ())
    if before != 0.0:
        assert judged(10.0, before, has_grown=said).category == "NE"


@pytest.mark.parametrize(("before", "after"), [(None, 5.0), (10.0, None)])
def test_a_new_lesion_is_progression_whatever_was_measured(before, after):
    """Young et al.: "appearance of new FDG uptake in metastatic lesions" is PMD by itself."""
    found = judged(before, after, has_new_lesion=True)
    assert (found.category, found.numbers) == ("PMD", ())
    assert "a new lesion" in found.why


@pytest.mark.parametrize(
    ("cycles", "others", "category"),
    [
        (1, {}, "PMR"),
        (3, {}, "PMR"),
        (3, {"is_resolved": True}, "CMR"),
        (3, {"has_grown": True}, "PMD"),
    ],
)
def test_a_tumour_that_is_not_seen_any_more_has_fallen_beyond_every_limit(cycles, others, category):
    """While others are left it is no complete response: a fall of more than 25 % is partial."""
    assert judged(10.0, None, is_gone=True, cycles=cycles, **others).category == category


@pytest.mark.parametrize("said", ["has_new_lesion", "has_grown", "is_resolved"])
def test_what_nobody_said_gives_no_category(said):
    assert judged(10.0, 5.0, **{said: None}).category == "NE"


def test_another_tracer_than_fdg_is_flagged():
    assert judged(10.0, 5.0, tracer="68Ga-Pentixafor").flags == ("scale-made-for-fdg",)
