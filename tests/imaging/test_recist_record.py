"""RECIST 1.1 from what a reader types in: lists admitted, courses over time, the best response."""

from __future__ import annotations

import pytest

from imaging.response import judging
from imaging.response.best_overall import best_overall
from imaging.response.recist_lesions import RecistLesion, problems

RULE = {"criterion": "recist", "confirmation_days": 28, "stable_days": 42}


def target(name, mm, region="lung_right", state="measured"):
    return RecistLesion(name, region, state, mm)


def other(name, state="present", region="liver"):
    return RecistLesion(name, region, state)


def told(lesions, baseline=None):
    return " ".join(text for _, text in problems(lesions, baseline))


# Eisenhauer et al., Eur J Cancer 2009;45:228, table 3: first, next, best; the minimum for SD met.
TABLE_3 = [
    ("CR", "CR", "CR"),
    ("CR", "SD", "SD"),
    ("CR", "PD", "SD"),
    ("CR", "NE", "SD"),
    ("PR", "CR", "PR"),
    ("PR", "PR", "PR"),
    ("PR", "SD", "SD"),
    ("PR", "PD", "SD"),
    ("PR", "NE", "SD"),
    ("NE", "NE", "NE"),
]
# The same where the first scan was too early to say stable: "otherwise PD", "otherwise NE".
TOO_EARLY = [("CR", "PD", "PD"), ("PR", "PD", "PD"), ("CR", "NE", "NE"), ("PR", "NE", "NE")]


@pytest.mark.parametrize(("first", "second", "best"), TABLE_3)
def test_table_3_of_confirmed_responses(first, second, best):
    course = [(42, first), (84, second)]
    assert best_overall(course, confirmation_days=28, stable_days=42) == best


@pytest.mark.parametrize(("first", "second", "best"), TOO_EARLY)
def test_table_3_before_the_minimum_for_stable_disease(first, second, best):
    course = [(42, first), (84, second)]
    # The next scan is late enough to be stable by itself, and is not.
    assert best_overall(course, confirmation_days=28, stable_days=43) == best


@pytest.mark.parametrize(
    ("course", "best"),
    [
        # Confirmed at the least distance, and not a day before.
        ([(42, "PR"), (70, "PR")], "PR"),
        ([(42, "PR"), (69, "PR")], "SD"),
        ([(42, "PR"), (56, "NE"), (84, "PR")], "PR"),
        ([(42, "PR"), (56, "SD"), (84, "PR")], "SD"),
        # Nothing after a progression counts.
        ([(42, "PD"), (84, "CR"), (126, "CR")], "PD"),
        ([(42, "NON-CR/NON-PD")], "NON-CR/NON-PD"),
        ([(41, "SD")], "NE"),
        ([], "NE"),
    ],
)
def test_what_confirms_and_what_does_not(course, best):
    assert best_overall(course, confirmation_days=28, stable_days=42) == best


def test_without_confirmation_the_best_counts():
    course = [(42, "PR"), (84, "PD")]
    assert best_overall(course, confirmation_days=0, stable_days=42) == "PR"


@pytest.mark.parametrize(
    ("lesions", "says"),
    [
        ([target("T1", 9.9)], "at least 10 mm (longest diameter), got 9.9 mm"),
        ([target("T1", 14.9, "nodes_iliac_left")], "at least 15 mm (short axis of a lymph node)"),
        ([target(f"T{i}", 20.0) for i in (1, 2, 3)], "3 targets in lung: at most two"),
        ([target("T6", 20.0)], "T6 is no name of a lesion"),
        ([target("T1", None)], "Give its length in mm"),
        ([target("T1", 5000.0)], "up to 500 mm, got 5000 mm"),
        ([target("T1", 20.0, region="")], "Say where it lies."),
        ([target("T1", 20.0), target("T1", 20.0)], "T1 is there 2 times."),
        ([other("X1")], "No lesion is new at baseline."),
        ([other("N1", "gone")], "A non-target of the baseline is there."),
    ],
)
def test_a_baseline_that_is_none_of_recist_is_refused_with_its_reason(lesions, says):
    assert says in told(lesions)


def test_five_targets_of_which_two_are_of_an_organ_are_admitted():
    places = ["lung_right", "lung_left", "liver", "nodes_iliac_left", "spleen"]
    assert told([target(f"T{i + 1}", 15.0, one) for i, one in enumerate(places)]) == ""


@pytest.mark.parametrize(
    ("later", "says"),
    [
        ([], "T1 of the baseline is missing"),
        ([target("T1", 20.0), target("T2", 20.0)], "T2 is no lesion of the baseline"),
        ([target("T1", 20.0, "liver")], "T1 lay in lung_right at baseline"),
        ([target("T1", 3.0), other("X1")], ""),
    ],
)
def test_a_later_list_follows_that_of_the_baseline(later, says):
    found = told(later, [target("T1", 20.0)])
    assert says in found if says else found == ""


def side(day, *lesions, new="no"):
    return {
        "day": day,
        "recist": [
            {
                "name": one.name,
                "region": one.region,
                "state": one.state,
                "diameter_mm": one.diameter_mm,
            }
            for one in lesions
        ],
        "answers": {"new_lesion_ct": new} if new else {},
    }


def course(*sides, **more):
    baseline, *earlier, later = sides
    return judging.judged(
        {
            "rule": RULE,
            "tracer": "FDG",
            "baseline": baseline,
            "earlier": earlier,
            "later": later,
            **more,
        }
    )


def test_a_rise_from_the_lowest_sum_is_progression_though_under_the_baseline():
    """100, 50, then 60 mm: 20 % and 10 mm above the lowest; 4.3.1 of the paper."""
    found = course(
        side(0, target("T1", 100.0)), side(42, target("T1", 50.0)), side(84, target("T1", 60.0))
    )
    assert (found.category, found.best) == ("PD", "SD")


def test_a_target_that_comes_back_after_complete_response_is_progression():
    gone = target("T1", None, state="gone")
    found = course(
        side(0, target("T1", 30.0)),
        side(42, gone),
        side(84, gone),
        side(126, target("T1", None, state="too-small")),
    )
    assert (found.category, found.best) == ("PD", "CR")


@pytest.mark.parametrize(
    ("later", "category", "says"),
    [
        (side(42), "NE", "no lesion of the later scan was recorded"),
        (side(42, target("T1", 20.0), other("X1")), "NE", "is listed, and the answer is"),
        (side(42, target("T1", 20.0), other("X1"), new=""), "PD", "a new lesion"),
        (side(42, target("T1", 20.0), new=""), "NE", "nobody says whether there is a new lesion"),
        (side(42, target("T1", 20.0)), "SD", "sum of 20.0 mm"),
    ],
)
def test_new_lesions_are_listed_or_answered_and_neither_is_guessed(later, category, says):
    found = course(side(0, target("T1", 20.0)), later)
    assert (found.category, says in found.why) == (category, True)


@pytest.mark.parametrize(
    ("baseline", "says"),
    [
        # A target of another place, one more target, a non-target that was not followed.
        ([target("T1", 50.0, "liver")], "T1."),
        ([target("T1", 50.0), target("T2", 20.0, "liver")], "T2."),
        ([target("T1", 50.0), other("N1")], "N1."),
    ],
)
def test_a_scan_of_other_lesions_than_its_baseline_is_held_against_none(baseline, says):
    found = course(side(0, *baseline), side(42, target("T1", 15.0)))
    assert (found.category, found.best) == ("NE", "NE")
    assert found.why.endswith(f"are not those of its baseline: {says}")


def test_the_sum_of_other_lesions_is_no_lowest_sum():
    """50 mm, then 10 mm of another lesion, then 33 mm: -34 % from baseline, PR by 4.3.1."""
    found = course(
        side(0, target("T1", 50.0)),
        side(42, target("T1", 10.0, "liver")),
        side(84, target("T1", 33.0)),
    )
    assert found.category == "PR"


def read_at(*sums, unread, **rule):
    """The course of one target, and on which days nobody read a scan."""
    first, *rest = (
        side(day, target("T1", mm, state="measured" if mm else "gone")) for day, mm in sums
    )
    return course(first, *rest, unread=["FU"] * len(unread), unread_days=unread, **rule)


@pytest.mark.parametrize(
    ("sums", "unread", "best"),
    [
        # Confirmed before the gap, it stays: 4.4 of the paper.
        ([(0, 50.0), (42, 30.0), (84, 30.0), (168, 45.0)], [126], "PR"),
        # Its confirmation would lie behind the gap.
        ([(0, 50.0), (42, 30.0), (126, 30.0)], [84], "NE"),
        # A scan after progression counts no more, read or not.
        ([(0, 50.0), (42, 70.0), (126, 70.0)], [84], "PD"),
        ([(0, 50.0), (84, 70.0)], [42], "NE"),
        ([(0, 50.0), (42, 45.0), (126, 45.0)], [84], "NE"),
    ],
)
def test_what_was_best_before_a_scan_that_was_not_read_stays(sums, unread, best):
    assert read_at(*sums, unread=unread).best == best


@pytest.mark.parametrize(
    ("mm", "category"), [(33.0, "NE"), (50.0, "NE"), (61.0, "PD"), (None, "CR")]
)
def test_a_scan_in_between_that_was_not_read_leaves_no_lowest_sum(mm, category):
    """Of 50 mm; 20 mm in between would make 33 mm a progression of 65 %, 4.3.1 of the paper."""
    last = target("T1", mm, state="measured" if mm else "gone")
    found = course(side(0, target("T1", 50.0)), side(84, last), unread=["FU1"])
    assert (found.category, found.best) == (category, "NE")
    assert ("in between by this reader: FU1" in found.why) == (category == "NE")
    assert "scan-in-between-not-read" in found.flags
