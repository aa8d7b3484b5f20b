"""The flow of patients, from the rows of the populations."""

from __future__ import annotations

import itertools

from reporting.flow import Row, flow
from trials.populations import Reason


def a_row(patient: int, population: str, is_in: bool, group: str = "", **given) -> Row:
    reason = Reason("x", group or "Enrolled", f"{group or 'Enrolled'}.")
    return Row(
        **{
            "trial": "T",
            "site": "101",
            "patient": patient,
            "identifier": f"101-{patient:03}",
            "population": population,
            "label": f"Population {population}",
            "level": "patient",
            "scan": "",
            "proposed": is_in,
            "reasons": (reason,),
            **given,
        }
    )


def test_nobody_screened_is_a_flow_without_boxes():
    assert flow([]).boxes == ()


def test_each_step_and_who_left_it_add_up_to_the_step_before():
    rows = [a_row(n, "ENR", n <= 8, "Criteria") for n in range(1, 11)]
    rows += [a_row(n, "SAF", n <= 5, "No tracer" if n < 8 else "Withdrawn") for n in range(1, 11)]
    boxes = flow(rows).boxes
    assert [one.number for one in boxes] == [10, 8, 5]
    assert [(one.reason, one.patients) for one in boxes[2].left] == [
        ("No tracer", ("101-006", "101-007")),
        ("Withdrawn", ("101-008",)),
    ]
    for before, after in itertools.pairwise(boxes):
        assert before.number - after.number_left + len(after.joined) == after.number


def test_what_a_review_decided_counts_and_says_so():
    rows = [a_row(1, "PP", True, decided=False, decision_reason="moved away", standing="stands")]
    _, box = flow(rows).boxes
    assert (box.number, box.is_decided, box.standing) == (0, True, "stands")
    assert box.left[0].reason == "Decided in the data review"
    assert "moved away" in rows[0].why


def test_one_row_that_was_overtaken_makes_its_box_overtaken():
    rows = [
        a_row(1, "PP", True, decided=True, standing="stands"),
        a_row(2, "PP", True, decided=True, standing="overtaken"),
    ]
    assert flow(rows).boxes[1].standing == "overtaken"


def test_populations_that_are_not_nested_say_who_joined():
    rows = [a_row(1, "A", False, "Out"), a_row(2, "A", True), a_row(1, "B", True)]
    rows += [a_row(2, "B", False, "Out")]
    box = flow(rows).boxes[2]
    assert box.joined == ("101-001",)
    assert "were not in the step before" in flow(rows).text


def test_scans_are_no_patients():
    assert flow([a_row(1, "S", True, level="scan", scan="ptf")]).boxes == ()
