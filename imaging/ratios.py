"""Uptake of a lesion or an adrenal over that of normal tissue, and what follows from it.

    TBRmax, TBRpeak, TBRmean   SUVmax, SUVpeak, SUVmean of the lesion / SUVmean of the region
    positive                   SUVmax or SUVpeak > k mean + n SD of the region
    dominant / contralateral   the higher adrenal SUVmax over the lower
    left/right index           ln(left SUVmax / right SUVmax); above 0 is left

The index tells the side; dominant / contralateral is at least 1 by construction and exp of the
index without its sign. It is the PET's and not that of adrenal vein sampling, and unproven for
hypercortisolism.

The mistakes to fear: "above the mean" is positive nearly everywhere in a noisy 68Ga image, so
the rule has its n; and a cut-off found ten minutes after injection says nothing at sixty, so
each belongs to its time and is refused at another. No cut-off has a default.

References
----------
CNS lymphoma, 21.93 ± 10.77 over contralateral brain: PMID 34651291. Adrenals: PMID 39626105;
Hu et al., JAMA Netw Open 2023;6:e2255609.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from imaging.cut_offs import exceeds, is_measured, is_positive, reaches, words
from imaging.geometry import Grid
from imaging.isometries import Isometry, carried
from imaging.reference_regions import RegionError, RegionStatistics, sphere
from imaging.segmentation import Indices, Volume

Side = Literal["left", "right"]
Lateralisation = Literal["left", "right", "bilateral"]
Statistic = Literal["suvmax", "suvpeak"]
Boundary = Literal["at_least", "above"]


class RatioError(ValueError):
    """A ratio or a rule that these values do not give; `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Uptake(Protocol):
    """What ratios need of a lesion, SUV in g/mL."""

    @property
    def suvmax(self) -> float: ...
    @property
    def suvpeak(self) -> float: ...
    @property
    def suvmean(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio with what it was made of: SUV in g/mL."""

    name: str
    numerator: float
    denominator: float

    @property
    def value(self) -> float:
        """Numerator over denominator."""
        return self.numerator / self.denominator


def ratio(name: str, numerator: float | None, denominator: float | None) -> Ratio:
    """A ratio of two SUV in g/mL.

    Raises
    ------
    RatioError
        "not-measured" if either is missing, not finite or negative, or the denominator zero.

    >>> ratio("TBRmax", 9.0, 1.5).value
    6.0
    """
    if not is_measured(numerator) or not is_positive(denominator):
        raise RatioError(
            "not-measured", f"{name} needs two measured SUV, got {numerator} over {denominator}."
        )
    return Ratio(name, float(numerator), float(denominator))


def target_to_background(lesion: Uptake, *, background_mean: float) -> tuple[Ratio, Ratio, Ratio]:
    """TBRmax, TBRpeak and TBRmean of a lesion over the mean SUV (g/mL) of a region.

    Raises
    ------
    RatioError
        As `ratio`.
    """
    return (
        ratio("TBRmax", lesion.suvmax, background_mean),
        ratio("TBRpeak", lesion.suvpeak, background_mean),
        ratio("TBRmean", lesion.suvmean, background_mean),
    )


# The other side of the brain


@dataclass(frozen=True, slots=True)
class VoxelStatistics:
    """SUV of some voxels: number, mean, sample standard deviation, both in g/mL."""

    voxels: Indices
    mean: float
    sd: float


def contralateral_sphere(
    suv: Volume,
    *,
    grid: Grid,
    centre_mm: tuple[float, float, float],
    radius_mm: float,
    plane: Isometry,
) -> RegionStatistics:
    """Statistics of the mirror image of a sphere.

    Parameters
    ----------
    suv : ndarray, shape (K, M, N)
        SUVbw in g/mL.
    grid : Grid
        Of the volume.
    centre_mm, radius_mm : (float, float, float), float
        Of the sphere that is mirrored, in mm (LPS).
    plane : Isometry
        `imaging.isometries.mirror` on the plane between the sides, as a reader accepted it.

    Raises
    ------
    RatioError
        "not-a-mirror"; "crosses-the-plane" if sphere and mirror image touch.
    RegionError
        If the mirror image leaves the image or holds no reference, as `sphere`.
    """
    _require_mirror(plane)
    x, y, z = (float(c) for c in plane(centre_mm))
    if math.dist(centre_mm, (x, y, z)) < 2 * radius_mm:
        raise RatioError(
            "crosses-the-plane", "The sphere reaches across the mirror plane into its own image."
        )
    return sphere(suv, grid=grid, centre_mm=(x, y, z), radius_mm=radius_mm)


def contralateral_voxels(
    suv: Volume, flat: Indices, *, grid: Grid, plane: Isometry
) -> VoxelStatistics:
    """Statistics of the mirror image of a lesion.

    Parameters
    ----------
    suv : ndarray, shape (K, M, N)
        SUVbw in g/mL.
    flat : ndarray, shape (V,)
        Voxels of the lesion, indices into the raveled volume.
    grid, plane
        As `contralateral_sphere`.

    Raises
    ------
    RatioError
        "not-a-mirror"; "crosses-the-plane" if the lesion overlaps its mirror image.
    RegionError
        If the mirror image leaves the image, has fewer than two voxels or no positive mean.
    """
    _require_mirror(plane)
    other = carried(flat, source=grid, target=grid, motion=plane)
    if np.isin(other.flat, flat).any():
        raise RatioError(
            "crosses-the-plane", "The lesion reaches across the mirror plane into its own image."
        )
    if other.leaves_image:
        raise RegionError("The mirror image of the lesion leaves the image.")
    values = suv.ravel()[other.flat].astype(np.float64)
    if values.size < 2:
        raise RegionError(f"The mirror image holds {values.size} voxel(s); two are needed.")
    mean = float(values.mean())
    if not mean > 0:
        raise RegionError(f"The mean SUV of the mirror image is {mean:.3g}, not positive.")
    return VoxelStatistics(other.flat, mean, float(values.std(ddof=1)))


def _require_mirror(plane: Isometry) -> None:
    if not plane.is_mirror:
        raise RatioError("not-a-mirror", "The other side is found by a mirror, not by a shift.")


# Computed positivity


@dataclass(frozen=True, slots=True, kw_only=True)
class PositivityRule:
    """Positive above `factor` times the mean plus `deviations` times the SD of a region.

    Protocol data, and the same for both tracers. SUV in g/mL.

    Raises
    ------
    RatioError
        "rule-invalid" if a number is negative or not finite, or both are zero.
    """

    statistic: Statistic
    factor: float
    deviations: float

    def __post_init__(self) -> None:
        if not (is_measured(self.factor) and is_measured(self.deviations)):
            raise RatioError("rule-invalid", "Factor and deviations must be finite, at least 0.")
        if self.factor == 0 and self.deviations == 0:
            raise RatioError("rule-invalid", "Factor and deviations can't both be 0.")

    def threshold(self, *, mean: float, sd: float) -> float:
        """Highest SUV in g/mL that is still negative.

        >>> PositivityRule(statistic="suvmax", factor=1.5, deviations=2).threshold(mean=2, sd=0.5)
        4.0
        """
        return self.factor * mean + self.deviations * sd


@dataclass(frozen=True, slots=True, kw_only=True)
class Positivity:
    """Whether a lesion is positive by computation; None is not evaluable.

    It stands beside what a reader sees and never replaces it. SUV in g/mL.
    """

    is_positive: bool | None
    value: float | None
    threshold: float | None
    uptake_minutes: float | None
    why: str


def positivity(
    rule: PositivityRule,
    value: float | None,
    *,
    mean: float | None,
    sd: float | None,
    uptake_minutes: float | None,
) -> Positivity:
    """Whether SUVmax or SUVpeak of a lesion exceeds the rule's threshold.

    Parameters
    ----------
    rule : PositivityRule
        Says which of the two `value` is.
    value : float or None
        SUVmax or SUVpeak in g/mL; None is not measured.
    mean, sd : float or None
        Of the accepted reference region, g/mL.
    uptake_minutes : float or None
        Minutes after injection, told with the answer.
    """
    name = {"suvmax": "SUVmax", "suvpeak": "SUVpeak"}[rule.statistic]
    if not (is_measured(value) and is_positive(mean) and is_measured(sd)):
        return Positivity(
            is_positive=None,
            value=None,
            threshold=None,
            uptake_minutes=uptake_minutes,
            why=f"Not evaluable: {name}, or mean or SD of the reference region is missing.",
        )
    threshold = rule.threshold(mean=mean, sd=sd)
    is_above = exceeds(value, threshold)
    at = "at an unknown time" if uptake_minutes is None else f"{words(uptake_minutes)} min"
    return Positivity(
        is_positive=is_above,
        value=value,
        threshold=threshold,
        uptake_minutes=uptake_minutes,
        why=f"{name} {words(value, threshold)} g/mL is {'' if is_above else 'not '}above "
        f"{words(threshold)} g/mL ({rule.factor:g} × {words(mean)} + {rule.deviations:g} × "
        f"{words(sd)}), {at} after injection.",
    )


# Adrenals in primary aldosteronism


NO_CUT_OFF = "the protocol states no cut-off"


@dataclass(frozen=True, slots=True)
class PublishedCutOff:
    """A published cut-off of dominant / contralateral, for a protocol to choose from."""

    value: float
    minutes: float
    sensitivity: float
    specificity: float
    source: str


PUBLISHED_CUT_OFFS = (
    PublishedCutOff(1.50, 10.0, 0.68, 0.91, "PMID 39626105, n = 208"),
    PublishedCutOff(1.65, 10.0, 0.61, 0.96, "PMID 39626105, n = 208"),
    PublishedCutOff(1.65, 10.0, 0.77, 1.00, "Hu et al., JAMA Netw Open 2023;6:e2255609, n = 100"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LateralisationRule:
    """From which dominant / contralateral on a side is called; protocol data.

    `minutes` after injection is when the cut-off was found, `tolerance_minutes` how far from it
    a scan may be. `boundary` says whether the cut-off itself is one-sided: the papers print the
    value and no sign, so a protocol states it.

    Raises
    ------
    RatioError
        "rule-invalid" if the cut-off is not above 1, or a time is negative or not finite.
    """

    cut_off: float
    boundary: Boundary
    minutes: float
    tolerance_minutes: float
    source: str

    def __post_init__(self) -> None:
        if not (math.isfinite(self.cut_off) and self.cut_off > 1):
            raise RatioError(
                "rule-invalid",
                f"The cut-off must be above 1, which every ratio reaches, got {self.cut_off}.",
            )
        if not (is_measured(self.minutes) and is_measured(self.tolerance_minutes)):
            raise RatioError("rule-invalid", "The times of a rule must be finite, at least 0.")


@dataclass(frozen=True, slots=True, kw_only=True)
class AdrenalUptake:
    """SUVmax of each adrenal, mean SUV of the liver, g/mL; None is not measured.

    `minutes` from injection to the start of the bed that shows the adrenals.
    """

    left: float | None
    right: float | None
    liver_mean: float | None
    minutes: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdrenalComparison:
    """Both adrenals compared; what could not be is None.

    `left_right_index` is ln(left / right). `side` is None where no rule applies, and `why` says
    so; the ratios are then still what was measured.
    """

    side: Lateralisation | None
    why: str
    minutes: float | None
    dominant_side: Side | None
    left_right_index: float | None
    dominant_to_contralateral: Ratio | None
    left_to_liver: Ratio | None
    right_to_liver: Ratio | None


def rule_at(
    rules: Sequence[LateralisationRule], minutes: float | None
) -> LateralisationRule | None:
    """The rule whose time is nearest to a scan at `minutes` after injection; None without rules.

    It may still be of another time, and is then refused by `compared_adrenals`.
    """
    at = minutes if is_measured(minutes) else 0.0
    return min(rules, key=lambda one: abs(one.minutes - at), default=None)


def rule_of_both(
    rules: Sequence[LateralisationRule], left: float | None, right: float | None
) -> tuple[LateralisationRule | None, str]:
    """The rule of the minutes at which both adrenals were seen; none, and why, where they differ.

    Two beds may show them, and no cut-off holds for a ratio across the times of two.
    """
    of_left, of_right = rule_at(rules, left), rule_at(rules, right)
    if of_left is None or of_right is None:
        return None, NO_CUT_OFF
    if not (is_measured(left) and is_measured(right)) or of_left == of_right:
        return of_left, ""
    seen = (("left", left, of_left), ("right", right, of_right))
    told = " and ".join(
        f"the {side} adrenal was seen at {words(at)} min after injection, nearest to the cut-off "
        f"{rule.cut_off:g} of {rule.minutes:g} ± {rule.tolerance_minutes:g} min"
        for side, at, rule in seen
    )
    return None, f"{told}: no cut-off holds for both sides"


def compared_adrenals(
    uptake: AdrenalUptake, rule: LateralisationRule | None, *, without: str = NO_CUT_OFF
) -> AdrenalComparison:
    """Ratios of the adrenals, and left, right or bilateral by the rule at its own time.

    `without` says why there is no rule, as `rule_of_both` does.
    """
    against = tuple(_against(uptake, rule, without))
    left, right = uptake.left, uptake.right
    if is_positive(left) and is_positive(right):
        between = ratio("Dominant / contralateral SUVmax", max(left, right), min(left, right))
        index = math.log(left / right)
        dominant: Side | None = None if left == right else "left" if left > right else "right"
    else:
        between, index, dominant = None, None, None
    side: Lateralisation | None = None
    why = f"Not evaluable: {'; '.join(against)}."
    if rule is not None and between is not None and not against:
        side, why = _called(between, dominant, uptake, rule)
    return AdrenalComparison(
        side=side,
        why=why,
        minutes=uptake.minutes,
        dominant_side=dominant,
        left_right_index=index,
        dominant_to_contralateral=between,
        left_to_liver=_to_liver("Left", left, uptake.liver_mean),
        right_to_liver=_to_liver("Right", right, uptake.liver_mean),
    )


def _to_liver(side: str, adrenal: float | None, liver_mean: float | None) -> Ratio | None:
    if not (is_measured(adrenal) and is_positive(liver_mean)):
        return None
    return ratio(f"{side} adrenal SUVmax / liver SUVmean", adrenal, liver_mean)


def _against(uptake: AdrenalUptake, rule: LateralisationRule | None, without: str) -> Iterator[str]:
    """Why no side can be called, as parts of a sentence."""
    for side, value in (("left", uptake.left), ("right", uptake.right)):
        if not is_positive(value):
            yield f"SUVmax of the {side} adrenal is missing or not positive"
    if not is_measured(uptake.minutes):
        yield "the time after injection is not known"
    if rule is None:
        yield without
    elif is_measured(uptake.minutes) and exceeds(
        abs(uptake.minutes - rule.minutes), rule.tolerance_minutes
    ):
        yield (
            f"the cut-off {rule.cut_off:g} belongs to {rule.minutes:g} ± "
            f"{rule.tolerance_minutes:g} min after injection, the scan was at "
            f"{words(uptake.minutes, rule.minutes - rule.tolerance_minutes)} min"
        )


def _called(
    between: Ratio, dominant: Side | None, uptake: AdrenalUptake, rule: LateralisationRule
) -> tuple[Lateralisation, str]:
    passes = reaches if rule.boundary == "at_least" else exceeds
    is_one_sided = dominant is not None and passes(between.value, rule.cut_off)
    words_of = ("at least", "under") if rule.boundary == "at_least" else ("above", "not above")
    side: Lateralisation = dominant if is_one_sided and dominant else "bilateral"
    return side, (
        f"{side.capitalize()}: SUVmax {words(uptake.left or 0.0)} g/mL left, "
        f"{words(uptake.right or 0.0)} g/mL right; dominant / contralateral "
        f"{words(between.value, rule.cut_off)} is {words_of[not is_one_sided]} "
        f"{rule.cut_off:g} ({rule.source})."
    )
