"""Where two readers of one scan differ: number of lesions, positive scan, positive regions."""

from __future__ import annotations

import pytest

from trials import discordance
from trials.discordance import Difference, Reading

LIVER, SPLEEN = ("liver", "positive"), ("spleen", "positive")


def test_readings_that_answer_alike_differ_in_nothing():
    one = Reading(2, "positive", [LIVER, SPLEEN])
    assert discordance.between(one, Reading(2, "positive", [SPLEEN, LIVER])) == []
    assert discordance.between(Reading(0, "negative"), Reading(0, "negative")) == []


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        (
            Reading(2, "positive", [LIVER, LIVER]),
            Reading(1, "positive", [LIVER]),
            [Difference("Number of lesions", "2", "1")],
        ),
        # The same number, in two places.
        (
            Reading(1, "positive", [LIVER]),
            Reading(1, "positive", [SPLEEN]),
            [
                Difference("Liver", "positive", "negative"),
                Difference("Spleen", "negative", "positive"),
            ],
        ),
        (
            Reading(1, "positive", [LIVER]),
            Reading(1, "negative", [("liver", "negative")]),
            [
                Difference("Scan", "positive", "negative"),
                Difference("Liver", "positive", "negative"),
            ],
        ),
    ],
)
def test_what_is_answered_otherwise_is_named(one, other, found):
    assert discordance.between(one, other) == found


def test_a_question_that_one_reader_did_not_answer_is_not_comparable_and_no_agreement():
    unstated = Reading(1, "not_stated", [("", "not_stated")])
    found = discordance.between(Reading(1, "positive", [LIVER]), unstated)
    assert [one.question for one in found] == ["Scan", "Regions of the lesions"]
    assert not any(one.is_comparable for one in found)


def test_what_neither_reader_stated_is_no_difference_and_no_agreement():
    unstated = Reading(0, "not_stated")
    (scan,) = [one for one in discordance.answers(unstated, unstated) if one.question == "scan"]
    assert (scan.differ, scan.is_comparable) == (False, False)


def test_of_three_readers_each_two_that_differ_are_named():
    alike = Reading(1, "positive", [LIVER])
    found = discordance.among({"a": alike, "b": alike, "c": Reading(0, "negative")})
    assert list(found) == [("a", "c"), ("b", "c")]


@pytest.mark.parametrize(("first", "second"), [({}, {}), ({"R": "PR"}, {}), ({}, {"R": "PR"})])
def test_a_response_that_is_not_evaluated_yet_is_awaited_and_no_agreement(first, second):
    one, other = (Reading(0, "negative", responses=each) for each in (first, second))
    found = discordance.answers(one, other, rules=["R"])
    (response,) = [each for each in found if each.question == "response"]
    assert not response.is_comparable
    assert discordance.awaited(found, ["response"]) == ["R"]
    assert discordance.awaited(found, ["scan"]) == []
    assert discordance.discordant(found, ["response"]) == []


def test_responses_of_both_are_held_against_each_other():
    one, other = (Reading(0, "negative", responses={"R": each}) for each in ("PR", "SD"))
    found = discordance.answers(one, other, rules=["R"])
    assert [each.of for each in discordance.discordant(found, ["response"])] == ["R"]
    assert discordance.awaited(found, ["response"]) == []
