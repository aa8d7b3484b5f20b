"""Two tracers in the same patients: what each shows, per patient, per region and per lesion.

Places of disease come as the pairing of lesions gives them. A patient's rate has all who were
compared below the line; a lesion's is a detection rate, for without a truth nothing is known
of lesions that neither tracer shows. What one scan does not reach is missing, not negative.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from imaging import paired_table as places
from imaging.matching import Outcome
from imaging.paired_table import PairedSite
from reporting.statistics.accuracy import detection_rate
from reporting.statistics.paired import VARIANTS, PairedTable, clustered_mcnemar, mcnemar
from reporting.statistics.proportions import Method, proportion
from reporting.statistics.results import LEVEL, Result, with_missing

NOT_COVERED = "not covered by one of the scans"
NEITHER = "positive on neither tracer"
ELSEWHERE = "no place of disease there; whether both scans cover it is not recorded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Counts of one level with the rate of each tracer and every test, named by its variant."""

    table: PairedTable
    first: Result
    second: Result
    tests: tuple[Result, ...]


def of_patients(
    sites: Sequence[PairedSite],
    *,
    patients: Collection[str],
    region: str | None = None,
    method: Method = "Wilson",
    level: float = LEVEL,
) -> Compared:
    """Per patient, of all `patients` who were compared, or of those with a place in a region.

    Raises ValueError where a place is of a patient who was not compared.
    """
    counted = places.paired_table(sites, patients=patients)
    counts, elsewhere = counted.patients, 0
    if region is not None:
        counts = counted.regions[region][1] if region in counted.regions else {}
        elsewhere = counted.elsewhere.get(region, len(set(patients)))
    table = _table(counts)
    missing = _missing({NOT_COVERED: counts.get("not-covered", 0), ELSEWHERE: elsewhere})
    rates = [
        proportion(k, table.n, name="rate of patients positive", method=method, level=level)
        for k in (table.both + table.first_only, table.both + table.second_only)
    ]
    tests = [mcnemar(table, variant=variant, level=level) for variant in VARIANTS]
    first, second, *tested = (with_missing(result, missing) for result in (*rates, *tests))
    return Compared(table=table, first=first, second=second, tests=tuple(tested))


def of_lesions(sites: Sequence[PairedSite], *, level: float = LEVEL) -> Compared:
    """Per lesion that either tracer shows, with intervals and tests over patients."""
    shown = [site for site in sites if site.outcome in ("both", "first-only", "second-only")]
    tables = [
        _table(places.paired_table(own, patients=[patient]).lesions)
        for patient in sorted({site.patient for site in shown})
        if (own := [site for site in shown if site.patient == patient])
    ]
    outcomes = [site.outcome for site in sites]
    missing = _missing(
        {NOT_COVERED: outcomes.count("not-covered"), NEITHER: outcomes.count("neither")}
    )
    tests = (
        clustered_mcnemar(tables, variant="Obuchowski", level=level),
        clustered_mcnemar(tables, variant="Durkalski", level=level),
    )
    rates = detection_rate(tables, level=level).values()
    first, second, *tested = (with_missing(result, missing) for result in (*rates, *tests))
    return Compared(
        table=_table(places.paired_table(shown, patients={site.patient for site in shown}).lesions),
        first=first,
        second=second,
        tests=tuple(tested),
    )


def _table(counts: Mapping[Outcome, int]) -> PairedTable:
    return PairedTable(
        both=counts.get("both", 0),
        first_only=counts.get("first-only", 0),
        second_only=counts.get("second-only", 0),
        neither=counts.get("neither", 0),
    )


def _missing(counts: Mapping[str, int]) -> dict[str, int]:
    return {reason: count for reason, count in counts.items() if count}
