"""Where a run proposes reference regions: in the kinds that the protocol names.

What was looked for and not found is told with the run, so that nobody takes silence for an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from imaging import descending_aorta, fusion, geometry, gluteal_muscle, reference_regions
from imaging.models import ReferenceRegion, Series
from imaging.peaks import PeakDefinition
from imaging.reference_regions import RegionStatistics
from imaging.selectors import volumes
from imaging.services import ct_volumes
from imaging.services.ct_volumes import CtRefused, OpenCt
from trials.models import PlannedScan

Kind = ReferenceRegion.Kind
Point = tuple[float, float, float]
Propose = Callable[[np.ndarray, geometry.Grid, Callable[[], OpenCt]], Point | None]
# Of CT no finer pixels are needed to find the aorta, and a quarter of the memory is.
CT_FINEST_MM = 3.0
# Of a patient in any scanner: more than what a CT shows is of what its header says in error, and
# would be laid out in the memory of a worker all the same.
CT_LONGEST_MM, CT_WIDEST_MM = 2500.0, 1000.0


class Ct:
    """The CT of a PET series, read when a rule asks for it, and what was read."""

    def __init__(self, pet: Series) -> None:
        self._pet = pet
        # Of its instances; empty while none is read.
        self.input_sha256 = ""

    def __call__(self) -> OpenCt:
        series = ct_volumes.fitting(self._pet)
        self.input_sha256 = volumes.input_digest(series)
        return ct_volumes.loaded(series, finest_mm=CT_FINEST_MM)


def _liver(values: np.ndarray, grid: geometry.Grid, _: Callable[[], OpenCt]) -> Point | None:
    return reference_regions.propose_liver(values, grid=grid)


def _blood_pool(values: np.ndarray, grid: geometry.Grid, ct: Callable[[], OpenCt]) -> Point:
    """On PET alone the aorta is not told from what lies around it."""
    opened = _covering(grid, ct)
    return descending_aorta.propose_aorta(
        values, grid=grid, hounsfield=opened.hounsfield, ct_grid=opened.grid
    )


def _muscle(values: np.ndarray, grid: geometry.Grid, ct: Callable[[], OpenCt]) -> Point:
    """On PET alone muscle is not told from what lies around it."""
    opened = _covering(grid, ct)
    return gluteal_muscle.propose_muscle(
        values, grid=grid, hounsfield=opened.hounsfield, ct_grid=opened.grid
    )


def _covering(grid: geometry.Grid, ct: Callable[[], OpenCt]) -> OpenCt:
    opened = ct()
    long, *wide = (n * step for n, step in zip(opened.grid.shape, opened.grid.spacing, strict=True))
    if long > CT_LONGEST_MM or max(wide) > CT_WIDEST_MM:
        raise CtRefused(
            "ct-too-large",
            f"By its header the CT of this study is {long:.0f} mm long and {max(wide):.0f} mm "
            f"wide: no CT of a patient is longer than {CT_LONGEST_MM:.0f} mm or wider than "
            f"{CT_WIDEST_MM:.0f} mm.",
        )
    if not fusion.covered(grid, opened.grid):
        raise CtRefused("ct-elsewhere", "The CT of this study does not reach where the PET is.")
    return opened


# How a place in normal tissue is found, and the radius of the sphere there in mm.
PROPOSALS: dict[str, tuple[Propose, float]] = {
    Kind.LIVER: (_liver, reference_regions.LIVER_RADIUS_MM),
    Kind.BLOOD_POOL: (_blood_pool, descending_aorta.RADIUS_MM),
    Kind.MUSCLE: (_muscle, gluteal_muscle.RADIUS_MM),
}
# Looked for where the protocol names no kind.
UNASKED = (Kind.LIVER, Kind.BLOOD_POOL)
PROPOSED, NO_CANDIDATE, NO_RULE, STOOD_FOR = "proposed", "no-candidate", "no-rule", "stood-for"
# Of each outcome, what a reader is to know.
OUTCOMES: Mapping[str, str] = {
    PROPOSED: "proposed, for the reader to accept",
    NO_CANDIDATE: "looked for and not found: no place in these images is plausible",
    NO_RULE: "no rule finds it: the reader places it",
    STOOD_FOR: "not looked for: a reader stands for one",
}
NOT_FOUND = "not proposed, the reader places it"


@dataclass(frozen=True)
class Proposals:
    """Spheres where normal tissue seems to be, by kind, and what came of each kind looked for."""

    found: dict[str, RegionStatistics] = field(default_factory=dict)
    # By kind; of one that is not proposed by a code of its own, why in words.
    outcomes: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    ct_sha256: str = ""

    def as_recorded(self) -> dict:
        """For the parameters of a run."""
        found: dict = {"proposals": self.outcomes}
        if self.reasons:
            found["not_proposed"] = self.reasons
        if self.ct_sha256:
            found["proposed_on_ct"] = self.ct_sha256
        return found


def wanted(plan: PlannedScan) -> list[str]:
    """The kinds that a run of a planned scan looks for; where the protocol names none, `UNASKED`.

    The region that the threshold of lesions or the rule of positivity rests on is among them.
    """
    named = [
        *plan.reference_regions,
        plan.segmentation.get("region"),
        plan.version.positivity.get("region"),
    ]
    if not plan.reference_regions:
        named = [*UNASKED, *named]
    return list(dict.fromkeys(one for one in named if one))


def proposals(
    values: np.ndarray,
    grid: geometry.Grid,
    peak: PeakDefinition,
    *,
    kinds: Collection[str],
    without: Collection[str],
    pet: Series,
) -> Proposals:
    """Spheres of the kinds that are looked for; none where nothing is plausible.

    `without` are kinds that a reader stands for.
    """
    made, ct = Proposals(), Ct(pet)
    for kind in kinds:
        if kind in without:
            made.outcomes[kind] = STOOD_FOR
        elif kind not in PROPOSALS:
            made.outcomes[kind] = NO_RULE
        else:
            _look_for(kind, made, values, grid, peak, ct)
    return replace(made, ct_sha256=ct.input_sha256)


def _look_for(
    kind: str,
    made: Proposals,
    values: np.ndarray,
    grid: geometry.Grid,
    peak: PeakDefinition,
    ct: Ct,
) -> None:
    propose, radius = PROPOSALS[kind]
    try:
        centre = propose(values, grid, ct)
    except (CtRefused, descending_aorta.AortaError, gluteal_muscle.MuscleError) as refusal:
        made.outcomes[kind], made.reasons[kind] = refusal.code, str(refusal)
        return
    if centre is None:
        made.outcomes[kind] = NO_CANDIDATE
        return
    made.outcomes[kind] = PROPOSED
    made.found[kind] = reference_regions.sphere(
        values, grid=grid, centre_mm=centre, radius_mm=radius, peak=peak
    )


def told(parameters: Mapping, *, there: Collection[str]) -> list[tuple[str, str]]:
    """What a run looked for and did not propose, each with what to know of it.

    `there` are the kinds of the regions in force: a reader has placed those since.
    """
    names = dict(Kind.choices) | {"contralateral": "Contralateral side"}
    reasons = parameters.get("not_proposed", {})
    return [
        (str(names.get(kind, kind)), OUTCOMES.get(outcome) or f"{NOT_FOUND}. {reasons[kind]}")
        for kind, outcome in parameters.get("proposals", {}).items()
        if outcome not in (PROPOSED, STOOD_FOR) and kind not in there
    ]
