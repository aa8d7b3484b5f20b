"""Hypotheses of a protocol on two tests of the same patients: results, and what is decided.

Nothing is chosen here: margin, level of significance, variant of a test and order are the
protocol's. What it leaves open is given without a decision, for a test that is picked after the
data were seen decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast

from reporting.statistics.paired import (
    DIFFERENCE,
    NO_PAIRS,
    ClusteredVariant,
    PairedTable,
    Variant,
    clustered_mcnemar,
    clustered_non_inferiority,
    hierarchy,
    mcnemar,
    non_inferiority,
    score_difference,
    shows,
    summed,
)
from reporting.statistics.results import LEVEL, Result, not_estimable

Kind = Literal["superiority", "non_inferiority"]
Order = Literal["hierarchical", "co_primary", "each"]
Decision = Literal["shown", "not shown", "not tested", "not decided"]
NO_ORDER = "the protocol does not state an order"
AFTER_UNDECIDED = "stands after one that is not decided"
AFTER_NOT_SHOWN = "stands after one that is not shown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """One that the protocol states; None is not stated.

    `alpha` is two-sided for a superiority and one-sided for a non-inferiority. Over patients, as of
    lesions, statistics count patients.
    """

    name: str
    kind: Kind
    is_over_patients: bool = False
    margin: float | None = None
    alpha: float | None = None
    variant: str | None = None

    @property
    def level(self) -> float:
        """Of the interval that says what the test says."""
        if self.alpha is None:
            return LEVEL
        return 1 - self.alpha if self.kind == "superiority" else 1 - 2 * self.alpha


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What became of a hypothesis; `why` where it was not tested or is not decided."""

    decision: Decision
    why: str = ""


def result_of(hypothesis: Hypothesis, tables: Sequence[PairedTable]) -> Result:
    """The difference with its interval, and the test where the protocol states all of it.

    Parameters
    ----------
    hypothesis : Hypothesis
        What is to be shown of the first test.
    tables : sequence of PairedTable
        One for each patient; counts of pairs in which a test was right, or positive.

    Returns
    -------
    Result
        Without a test where the margin, or the variant, is not stated.
    """
    if not any(one.n for one in tables):
        return not_estimable(DIFFERENCE, NO_PAIRS, n=0)
    if hypothesis.kind == "non_inferiority":
        return _no_worse(hypothesis, tables)
    return _better(hypothesis, tables)


def _better(hypothesis: Hypothesis, tables: Sequence[PairedTable]) -> Result:
    variant, level = hypothesis.variant, hypothesis.level
    if hypothesis.is_over_patients:
        found = clustered_mcnemar(
            tables, variant=cast(ClusteredVariant, variant or "Obuchowski"), level=level
        )
    else:
        found = mcnemar(summed(tables), variant=cast(Variant, variant or "exact"), level=level)
    return found if variant else replace(found, test=None)


def _no_worse(hypothesis: Hypothesis, tables: Sequence[PairedTable]) -> Result:
    margin, level = hypothesis.margin, hypothesis.level
    if hypothesis.is_over_patients:
        if margin is not None:
            return clustered_non_inferiority(tables, margin=margin, level=level)
        return replace(clustered_mcnemar(tables, level=level), test=None)
    if margin is not None:
        return non_inferiority(summed(tables), margin=margin, level=level)
    return score_difference(summed(tables), level=level)


def decided(
    order: Order | None, asked: Sequence[tuple[Hypothesis, Result, str]]
) -> tuple[Decided, ...]:
    """What is decided of each hypothesis, in the order of the protocol.

    Parameters
    ----------
    order : {"hierarchical", "co_primary", "each"} or None
        After one that is not shown none is tested; each at its own level; None is not stated.
    asked : sequence of (Hypothesis, Result, str)
        Each with its result and why it can't be decided, empty where it can; what can't be
        estimated is not decided either.

    Returns
    -------
    tuple of Decided
        One for each, in their order.
    """
    # Before there are pairs nothing is decided; to say that it is not shown would be a result.
    known = [(one, result, why or result.reason) for one, result, why in asked]
    if order is None:
        return tuple(Decided(decision="not decided", why=why or NO_ORDER) for _, _, why in known)
    if order == "hierarchical":
        return _in_turn(known)
    return tuple(_alone(*one) for one in known)


def _alone(hypothesis: Hypothesis, result: Result, why: str) -> Decided:
    if why:
        return Decided(decision="not decided", why=why)
    is_shown = shows(result, _alpha(hypothesis))
    return Decided(decision="shown" if is_shown else "not shown")


def _in_turn(asked: Sequence[tuple[Hypothesis, Result, str]]) -> tuple[Decided, ...]:
    """Up to the first that can't be decided; none after it is tested."""
    open_at = next((at for at, (_, _, why) in enumerate(asked) if why), len(asked))
    steps = [(one.name, result, _alpha(one)) for one, result, _ in asked[:open_at]]
    found = [
        Decided(
            decision=step.decision,
            why=AFTER_NOT_SHOWN if step.decision == "not tested" else "",
        )
        for step in hierarchy(steps)
    ]
    is_going_on = all(one.decision == "shown" for one in found)
    for at, (_, _, why) in enumerate(asked[open_at:]):
        if not is_going_on:
            found.append(Decided(decision="not tested", why=AFTER_NOT_SHOWN))
        elif at == 0:
            found.append(Decided(decision="not decided", why=why))
        else:
            own = f"{AFTER_UNDECIDED}; {why}" if why else AFTER_UNDECIDED
            found.append(Decided(decision="not tested", why=own))
    return tuple(found)


def _alpha(hypothesis: Hypothesis) -> float:
    if hypothesis.alpha is None:
        raise ValueError(f"{hypothesis.name} has no level of significance")
    return hypothesis.alpha
