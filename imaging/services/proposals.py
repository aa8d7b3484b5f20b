"""Where a run proposes reference regions: in the kinds that the protocol names.

What was looked for and not found is told with the run, so that nobody takes silence for an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from imaging import geometry, reference_regions
from imaging.models import ReferenceRegion
from imaging.peaks import PeakDefinition
from imaging.reference_regions import RegionStatistics
from trials.models import PlannedScan

Kind = ReferenceRegion.Kind
Propose = Callable[..., tuple[float, float, float] | None]
# How a place in normal tissue is found, and the radius of the sphere there in mm.
PROPOSALS: dict[str, tuple[Propose, float]] = {
    Kind.LIVER: (reference_regions.propose_liver, reference_regions.LIVER_RADIUS_MM),
}
PROPOSED, NO_CANDIDATE, NO_RULE, STOOD_FOR = "proposed", "no-candidate", "no-rule", "stood-for"
# Of each outcome, what a reader is to know.
OUTCOMES: Mapping[str, str] = {
    PROPOSED: "proposed, for the reader to accept",
    NO_CANDIDATE: "looked for and not found: no place in these images is plausible",
    NO_RULE: "no rule finds it: the reader places it",
    STOOD_FOR: "not looked for: a reader stands for one",
}


@dataclass(frozen=True)
class Proposals:
    """Spheres where normal tissue seems to be, by kind, and what came of each kind looked for."""

    found: dict[str, RegionStatistics] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)


def wanted(plan: PlannedScan) -> list[str]:
    """The kinds that a run of a planned scan looks for; where the protocol names none, all known.

    The region that the threshold of lesions or the rule of positivity rests on is among them.
    """
    named = [
        *plan.reference_regions,
        plan.segmentation.get("region"),
        plan.version.positivity.get("region"),
    ]
    if not plan.reference_regions:
        named = [*PROPOSALS, *named]
    return list(dict.fromkeys(one for one in named if one))


def proposals(
    values: np.ndarray,
    grid: geometry.Grid,
    peak: PeakDefinition,
    *,
    kinds: Collection[str],
    without: Collection[str],
) -> Proposals:
    """Spheres of the kinds that are looked for; none where nothing is plausible.

    `without` are kinds that a reader stands for.
    """
    made = Proposals()
    for kind in kinds:
        outcome, statistics = STOOD_FOR, None
        if kind not in without:
            outcome, statistics = _of_kind(kind, values, grid, peak)
        made.outcomes[kind] = outcome
        if statistics:
            made.found[kind] = statistics
    return made


def _of_kind(
    kind: str, values: np.ndarray, grid: geometry.Grid, peak: PeakDefinition
) -> tuple[str, RegionStatistics | None]:
    if kind not in PROPOSALS:
        return NO_RULE, None
    propose, radius = PROPOSALS[kind]
    centre = propose(values, grid=grid)
    if centre is None:
        return NO_CANDIDATE, None
    return PROPOSED, reference_regions.sphere(
        values, grid=grid, centre_mm=centre, radius_mm=radius, peak=peak
    )


def told(parameters: Mapping, *, there: Collection[str]) -> list[tuple[str, str]]:
    """What a run looked for and did not propose, each with what to know of it.

    `there` are the kinds of the regions in force: a reader has placed those since.
    """
    names = dict(Kind.choices) | {"contralateral": "Contralateral side"}
    return [
        (str(names.get(kind, kind)), OUTCOMES[outcome])
        for kind, outcome in parameters.get("proposals", {}).items()
        if outcome in (NO_CANDIDATE, NO_RULE) and kind not in there
    ]
