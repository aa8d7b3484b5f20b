"""Statistics held to R: base R's tests, its analysis of variance, survival, coin and pROC.

No package that can be had from Debian has Newcombe's interval of a paired difference or Tango's
score; these are held to printed examples in test_statistics_of_pairs.py.

Samples stand in r/statistics.R too, the times among them being `survival::aml`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from reporting.statistics.agreement import bland_altman
from reporting.statistics.comparisons import (
    mann_whitney,
    paired_t,
    pearson,
    spearman,
    welch_t,
    wilcoxon,
)
from reporting.statistics.curves import area, area_difference
from reporting.statistics.paired import PairedTable, Variant, mcnemar
from reporting.statistics.proportions import clopper_pearson, wilson
from reporting.statistics.repeatability import MODELS, intraclass_correlation, repeatability
from reporting.statistics.results import Result
from reporting.statistics.survival import log_rank, median_survival, survival_at
from tests.commands import said

SCRIPT = Path(__file__).parent / "r" / "statistics.R"
FIRST = (12.1, 8.4, 15.9, 7.7, 21.3, 9.8, 13.6, 30.2, 6.1, 11.5, 18.7, 10.9)
SECOND = (4.3, 5.1, 6.2, 7.9, 8.8, 3.7, 5.5, 9.1, 6.8, 2.4, 7.3, 11.7)
NOISE = (3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8)
DISEASED = tuple(one > 11 for one in FIRST)
TIES_FIRST = (1, 2, 2, 3, 4, 4, 5, 6, 7, 7)
TIES_SECOND = (2, 1, 2, 4, 3, 6, 5, 5, 9, 8)
TIMES = (9, 13, 13, 18, 23, 28, 31, 34, 45, 48, 161)
TIMES_OTHER = (5, 5, 8, 8, 12, 16, 23, 27, 30, 33, 43, 45)
EVENTS = tuple(at not in (2, 5, 8, 10) for at in range(len(TIMES)))
EVENTS_OTHER = tuple(at != 5 for at in range(len(TIMES_OTHER)))
VARIANTS: dict[Variant, str] = {
    "exact": "exact",
    "continuity-corrected": "corrected",
    "uncorrected": "uncorrected",
    "mid-P": "mid-p",
}


@pytest.fixture(scope="module")
def of_r(rscript) -> dict[str, float]:
    lines = said([rscript, "--vanilla", str(SCRIPT)], timeout=120).splitlines()
    return {name: float(number) for name, number in (line.split("\t") for line in lines)}


def ends(name: str, found: Result, *, with_p: bool = True) -> Iterator[tuple[str, float]]:
    assert found.interval
    yield f"{name} lower", found.interval.lower
    yield f"{name} upper", found.interval.upper
    if with_p:
        yield from p(name, found)


def p(name: str, found: Result) -> Iterator[tuple[str, float]]:
    assert found.test
    yield f"{name} p", found.test.p


def estimate(name: str, found: Result) -> Iterator[tuple[str, float]]:
    assert found.estimate is not None
    yield name, found.estimate


def ours() -> Iterator[tuple[str, float]]:
    for k in (0, 2, 13, 17):
        for name, made in (("clopper-pearson", clopper_pearson), ("wilson", wilson)):
            yield f"{name} {k} lower", made(k, 17).lower
            yield f"{name} {k} upper", made(k, 17).upper
    for both, b, c, neither in ((10, 6, 0, 1), (12, 9, 3, 5), (40, 4, 15, 21)):
        counts = PairedTable(both=both, first_only=b, second_only=c, neither=neither)
        for variant, name in VARIANTS.items():
            test = mcnemar(counts, variant=variant).test
            assert test
            yield f"mcnemar {b} {c} {name}", test.p
    yield from ends("paired t", paired_t(FIRST, SECOND))
    bias = bland_altman(FIRST, SECOND, unit="g/mL")["bias"]
    yield from estimate("bias", bias)
    yield from ends("bias", bias, with_p=False)
    curve, apart = area(SECOND, DISEASED), area_difference(SECOND, NOISE, DISEASED)
    yield from estimate("area", curve)
    yield from ends("area", curve, with_p=False)
    yield from ends("difference of areas", apart)
    assert apart.test
    assert apart.test.statistic
    yield "difference of areas z", apart.test.statistic
    yield from ends("welch", welch_t(FIRST, SECOND))
    for name, compared in (("wilcoxon", wilcoxon), ("mann-whitney", mann_whitney)):
        yield from p(name, compared(FIRST, SECOND))
        yield from estimate(f"{name} estimate", compared(FIRST, SECOND))
        yield from p(f"{name} tied", compared(TIES_FIRST, TIES_SECOND))
    yield from ends("pearson", pearson(FIRST, SECOND))
    yield from estimate("pearson estimate", pearson(FIRST, SECOND))
    yield from p("spearman", spearman(TIES_FIRST, TIES_SECOND))
    yield from estimate("spearman estimate", spearman(TIES_FIRST, TIES_SECOND))
    repeated = repeatability(FIRST, SECOND, unit="g/mL")
    yield from estimate("within-subject sd", repeated["within-subject SD"])
    for model in MODELS:
        found = intraclass_correlation(np.array([FIRST, SECOND]).T, model=model)
        yield from estimate(f"icc {model[4:7]}", found)
    times, events = (*TIMES, *TIMES_OTHER), (*EVENTS, *EVENTS_OTHER)
    free, middle = (
        survival_at(times, events, time=30, unit="weeks"),
        median_survival(times, events, unit="weeks"),
    )
    yield from estimate("kaplan-meier 30", free)
    yield from ends("kaplan-meier 30", free, with_p=False)
    yield from estimate("median", middle)
    yield from ends("median", middle, with_p=False)
    compared_times = log_rank(((TIMES, EVENTS), (TIMES_OTHER, EVENTS_OTHER)))
    assert compared_times.test
    assert compared_times.test.statistic
    yield "log-rank chi-square", compared_times.test.statistic
    yield from p("log-rank", compared_times)


def test_every_statistic_is_that_of_r(of_r):
    """P of a single proportion, or of a bias, is R's alone; of all else both have one number."""
    found = dict(ours())
    assert set(of_r) - set(found) == {
        f"{name} {k} p" for name in ("clopper-pearson", "wilson") for k in (0, 2, 13, 17)
    } | {"bias p"}
    # What R searches for, such as the ends of a Wilson interval, it finds to 7 digits or more.
    for name, number in found.items():
        assert number == pytest.approx(of_r[name], rel=1e-7, abs=1e-12), name
