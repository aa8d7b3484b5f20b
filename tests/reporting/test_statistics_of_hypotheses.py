"""Hypotheses of a protocol: the tests they name, and what the order lets be decided."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reporting.statistics.hypotheses import (
    AFTER_NOT_SHOWN,
    AFTER_UNDECIDED,
    NO_ORDER,
    Hypothesis,
    decided,
    result_of,
)
from reporting.statistics.paired import PairedTable


def patients(both: int, first: int, second: int, neither: int) -> list[PairedTable]:
    """A table for each patient."""
    counts = {"both": both, "first_only": first, "second_only": second, "neither": neither}
    none = dict.fromkeys(counts, 0)
    return [PairedTable(**{**none, name: 1}) for name, n in counts.items() for _ in range(n)]


BETTER = Hypothesis(name="H1", kind="superiority", alpha=0.05, variant="exact")
NO_WORSE = Hypothesis(name="H2", kind="non_inferiority", alpha=0.05, margin=0.1)
# Tango, Stat Med 1998;17:891: 43, 0, 1, 0 of 44 with a margin of 0.1.
LENSES = patients(43, 0, 1, 0)


def test_non_inferiority_is_tangos_at_the_level_of_the_protocol():
    found = result_of(NO_WORSE, LENSES)
    assert round(found.test.statistic, 3) == 1.709
    assert round(found.test.p, 3) == 0.044
    # One-sided 0.05 goes with the interval of 90 %.
    assert found.interval.level == pytest.approx(0.9)
    assert found.interval.lower == pytest.approx(-0.0957, abs=5e-5)
    (out,) = decided("each", [(NO_WORSE, found, "")])
    assert out.decision == "shown"
    strict = Hypothesis(name="H2", kind="non_inferiority", alpha=0.025, margin=0.1)
    (out,) = decided("each", [(strict, result_of(strict, LENSES), "")])
    assert out.decision == "not shown"


def test_the_variant_of_the_protocol_decides():
    # Waldenström lymph nodes, 7 against 1: .0771 with the correction and .0339 without it.
    nodes = patients(6, 7, 1, 3)
    for variant, p, decision in (
        ("continuity-corrected", 0.0771, "not shown"),
        ("uncorrected", 0.0339, "shown"),
    ):
        one = Hypothesis(name="H1", kind="superiority", alpha=0.05, variant=variant)
        found = result_of(one, nodes)
        assert round(found.test.p, 4) == p
        assert decided("each", [(one, found, "")])[0].decision == decision


def test_a_superiority_to_the_other_side_is_not_shown():
    found = result_of(BETTER, patients(6, 0, 9, 3))
    assert found.test.p < 0.05
    assert decided("each", [(BETTER, found, "")])[0].decision == "not shown"


def test_what_the_protocol_leaves_open_has_an_estimate_and_no_test():
    for one in (
        Hypothesis(name="H1", kind="superiority", alpha=0.05),
        Hypothesis(name="H2", kind="non_inferiority", alpha=0.025),
        Hypothesis(name="H3", kind="superiority", is_over_patients=True),
        Hypothesis(name="H4", kind="non_inferiority", is_over_patients=True),
    ):
        found = result_of(one, patients(6, 7, 1, 3))
        assert found.estimate == pytest.approx(6 / 17)
        assert found.test is None


def test_lesions_are_tested_over_patients():
    # PET and SPECT of glands (Obuchowski, Stat Med 1998;17:1495), (b, c, n) of 21 patients.
    glands = [(0, 2, 3), (0, 1, 3), (0, 0, 3), (0, 0, 1), (0, 1, 3), (0, 0, 4), (0, 0, 3),
              (0, 0, 2), (1, 0, 2), (0, 0, 1), (0, 0, 3), (0, 0, 2), (0, 0, 3), (0, 0, 2),
              (0, 2, 2), (0, 0, 3), (0, 0, 3), (0, 1, 3), (0, 0, 2), (0, 0, 1),
              (0, 0, 2)]  # fmt: skip
    tables = [
        PairedTable(both=n - b - c, first_only=c, second_only=b, neither=0) for b, c, n in glands
    ]
    one = Hypothesis(
        name="H1", kind="superiority", alpha=0.05, variant="Durkalski", is_over_patients=True
    )
    found = result_of(one, tables)
    # Durkalski et al 2003: 2.32 where McNemar's, uncorrected, is 4.5.
    assert round(found.test.statistic, 2) == 2.32
    assert decided("each", [(one, found, "")])[0].decision == "not shown"


SHOWN = (BETTER, result_of(BETTER, patients(6, 9, 0, 3)), "")
FAILED = (BETTER, result_of(BETTER, patients(6, 3, 3, 3)), "")
OPEN = (BETTER, result_of(BETTER, patients(6, 9, 0, 3)), "the protocol does not state: margin")


@pytest.mark.parametrize(
    ("order", "asked", "expected"),
    [
        ("hierarchical", [SHOWN, SHOWN], [("shown", ""), ("shown", "")]),
        ("hierarchical", [FAILED, SHOWN], [("not shown", ""), ("not tested", AFTER_NOT_SHOWN)]),
        (
            "hierarchical",
            [SHOWN, OPEN, SHOWN],
            [("shown", ""), ("not decided", OPEN[2]), ("not tested", AFTER_UNDECIDED)],
        ),
        (
            "hierarchical",
            [OPEN, OPEN],
            [("not decided", OPEN[2]), ("not tested", f"{AFTER_UNDECIDED}; {OPEN[2]}")],
        ),
        (
            "hierarchical",
            [FAILED, OPEN],
            [("not shown", ""), ("not tested", AFTER_NOT_SHOWN)],
        ),
        ("co_primary", [FAILED, SHOWN], [("not shown", ""), ("shown", "")]),
        ("each", [OPEN, SHOWN], [("not decided", OPEN[2]), ("shown", "")]),
        (None, [SHOWN, OPEN], [("not decided", NO_ORDER), ("not decided", OPEN[2])]),
    ],
)
def test_the_order_of_the_protocol_says_what_is_decided(order, asked, expected):
    assert [(one.decision, one.why) for one in decided(order, asked)] == expected


@pytest.mark.parametrize("order", ["hierarchical", "co_primary", "each", None])
def test_without_pairs_nothing_is_decided_and_why_is_said(order):
    of_lesions = replace(NO_WORSE, is_over_patients=True)
    for one in (NO_WORSE, of_lesions, BETTER, replace(BETTER, variant=None)):
        (out,) = decided(order, [(one, result_of(one, []), "")])
        assert (out.decision, out.why) == ("not decided", "not estimable: there are no pairs")
