"""Which lesion of one scan is which of another: across tracers, or across time.

    overlap = shared volume / volume of the smaller lesion
    Dice    = 2 shared volume / (volume of one + volume of the other)

Lesions that share enough volume are matched first, one to one, so that the sum of Dice is the
greatest; what is left is matched by the distance of centroids. A lesion that shares enough with
two of the other scan is split or merged: the best is its partner, the others are parts of the
same site and not lesions that only one tracer shows.

The mistakes to fear: a lesion beyond the other scan's field of view is not negative there, it
was not looked at; and scans of two frames of reference do not lie on each other until someone
says how. A match is a proposal until a reader confirms it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from imaging.geometry import Grid
from imaging.isometries import Isometry, carried
from imaging.segmentation import Indices

Floats = NDArray[np.float64]
Outcome = Literal["both", "first-only", "second-only", "neither", "not-covered"]
MatchedBy = Literal["overlap", "distance", ""]
_Link = tuple[int, int, MatchedBy]

# Volumes are products of decimals.
_SLACK = 1e-9


class MatchingError(ValueError):
    """Lesions that can't be matched; `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedLesion:
    """A lesion by its voxels, indices into the raveled volume; `region` as a reader set it."""

    name: str
    voxels: Indices = field(repr=False, compare=False)
    region: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanLesions:
    """The lesions of a scan on its grid; `frame_of_reference` is (0020,0052)."""

    grid: Grid
    frame_of_reference: str
    lesions: tuple[PlacedLesion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedShift:
    """A rigid motion from the second scan to the first, and how it was found."""

    motion: Isometry
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchingRule:
    """When two lesions may be one; protocol data.

    `least_overlap` is a part of the smaller lesion's volume, above 0 and at most 1;
    `largest_distance_mm` that of centroids, above 0.

    Raises
    ------
    MatchingError
        "rule-invalid".
    """

    least_overlap: float
    largest_distance_mm: float

    def __post_init__(self) -> None:
        if not 0 < self.least_overlap <= 1:
            raise MatchingError(
                "rule-invalid", f"Overlap must be above 0 and at most 1, got {self.least_overlap}."
            )
        if not (math.isfinite(self.largest_distance_mm) and self.largest_distance_mm > 0):
            raise MatchingError(
                "rule-invalid", f"Distance must be above 0 mm, got {self.largest_distance_mm}."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One place of disease: the lesion of each scan, and other parts of a split or merged one.

    `matched_by` says what made them one. `shared_ml`, `dice` and `distance_mm` are of the two
    named lesions. `region` is the first lesion's, else the second's; `regions_differ` warns that
    readers gave the two different ones.
    """

    outcome: Outcome
    first: str | None
    second: str | None
    first_parts: tuple[str, ...] = ()
    second_parts: tuple[str, ...] = ()
    matched_by: MatchedBy = ""
    shared_ml: float = 0.0
    dice: float = 0.0
    distance_mm: float | None = None
    region: str | None = None
    regions_differ: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """Sites in the order of names, and what they say of lesions, regions and the patient.

    `splits` are lesions of the first scan with the two or more of the second that share enough
    with them, `merges` those of the second with the ones of the first. A site without a region
    is in `sites` and `patient` only.
    """

    sites: tuple[Site, ...]
    splits: Mapping[str, tuple[str, ...]]
    merges: Mapping[str, tuple[str, ...]]
    regions: Mapping[str, Outcome]
    patient: Outcome
    rule: MatchingRule
    shift: RecordedShift | None

    @property
    def counts(self) -> Mapping[Outcome, int]:
        """Number of sites by outcome: the paired table of lesions."""
        return Counter(site.outcome for site in self.sites)


def match(
    first: ScanLesions,
    second: ScanLesions,
    *,
    rule: MatchingRule,
    shift: RecordedShift | None = None,
) -> Matching:
    """Sites that both scans show, and those that only one shows.

    Parameters
    ----------
    first, second : ScanLesions
        Two tracers or two times; the order of lesions does not matter.
    rule : MatchingRule
        What counts as the same place.
    shift : RecordedShift, optional
        From the second scan to the first; needed where the frames of reference differ.

    Raises
    ------
    MatchingError
        "another-frame" if frames of reference differ, or one is unknown, and no shift is given;
        "shift-invalid" for a mirror or one that nobody accounts for; "lesions-invalid" for
        names that are there twice, lesions without voxels or outside their volume.
    """
    _require_one_frame(first, second, shift)
    motion = shift.motion if shift else Isometry()
    ours, theirs = _by_name(first), _by_name(second)
    pairs = _compared(first.grid, ours, second.grid, theirs, motion)
    is_shared = pairs.overlap >= rule.least_overlap - _SLACK
    links = _best(np.where(is_shared, pairs.dice, 0.0), "overlap")
    first_parts = _parts(is_shared.T, pairs.shared_ml.T, [(j, i) for i, j, _ in links])
    second_parts = _parts(is_shared, pairs.shared_ml, [(i, j) for i, j, _ in links])
    is_free = np.logical_and.outer(~is_shared.any(axis=1), ~is_shared.any(axis=0))
    links += _best(_closeness(pairs.distance_mm, rule, is_free), "distance")
    sites = _sites(ours, theirs, pairs, links, first_parts, second_parts)
    return Matching(
        sites=sites,
        splits=_manifold(is_shared, ours, theirs),
        merges=_manifold(is_shared.T, theirs, ours),
        regions=_of_regions(sites),
        patient=together(site.outcome for site in sites),
        rule=rule,
        shift=shift,
    )


def _require_one_frame(
    first: ScanLesions, second: ScanLesions, shift: RecordedShift | None
) -> None:
    if shift is None:
        if not first.frame_of_reference or first.frame_of_reference != second.frame_of_reference:
            raise MatchingError(
                "another-frame",
                "The scans have two frames of reference, or one is unknown: record the shift "
                "that lays them on each other.",
            )
    elif shift.motion.is_mirror or not shift.how:
        raise MatchingError("shift-invalid", "A shift is no mirror, and says how it was found.")


def _by_name(scan: ScanLesions) -> tuple[PlacedLesion, ...]:
    """The lesions in the order of names, which makes the answer that of any order."""
    names = [lesion.name for lesion in scan.lesions]
    voxels = [lesion.voxels for lesion in scan.lesions]
    last = math.prod(scan.grid.shape) - 1
    if len(set(names)) < len(names):
        raise MatchingError("lesions-invalid", "Two lesions of a scan have the same name.")
    if any(one.size == 0 or one.min() < 0 or one.max() > last for one in voxels):
        raise MatchingError("lesions-invalid", "A lesion has no voxels, or some out of its volume.")
    if voxels and np.unique(np.concatenate(voxels)).size < sum(one.size for one in voxels):
        raise MatchingError("lesions-invalid", "Two lesions of a scan share voxels.")
    return tuple(sorted(scan.lesions, key=lambda lesion: lesion.name))


@dataclass(frozen=True, slots=True)
class _Pairs:
    """All pairs, shape (n, m), and whether the other scan covers each lesion, (n,) and (m,)."""

    shared_ml: Floats
    overlap: Floats
    dice: Floats
    distance_mm: Floats
    covers_first: NDArray[np.bool_]
    covers_second: NDArray[np.bool_]


def _compared(
    grid: Grid,
    ours: tuple[PlacedLesion, ...],
    their_grid: Grid,
    theirs: tuple[PlacedLesion, ...],
    motion: Isometry,
) -> _Pairs:
    """All volumes are counted on the grid of the first scan, so that Dice is at most 1."""
    mine = [one.voxels for one in ours]
    laid = [
        carried(one.voxels, source=their_grid, target=grid, motion=motion).flat for one in theirs
    ]
    shared = _shared_ml(grid, mine, laid)
    volumes = np.array([_volume_ml(grid, one) for one in mine]).reshape(-1, 1)
    other_volumes = np.array([_volume_ml(grid, one) for one in laid]).reshape(1, -1)
    smaller = np.minimum(volumes, other_volumes)
    total = volumes + other_volumes
    centres = _centres(grid, ours)
    others = motion(_centres(their_grid, theirs))
    return _Pairs(
        shared_ml=shared,
        overlap=np.divide(shared, smaller, out=np.zeros_like(shared), where=smaller > 0),
        dice=np.divide(2 * shared, total, out=np.zeros_like(shared), where=total > 0),
        distance_mm=np.linalg.norm(centres[:, None, :] - others[None, :, :], axis=2),
        covers_first=is_inside(their_grid, motion.inverse(centres)),
        covers_second=is_inside(grid, others),
    )


def _volume_ml(grid: Grid, flat: Indices) -> float:
    return grid.volume_ml(flat // (grid.shape[1] * grid.shape[2]))


def _shared_ml(grid: Grid, mine: Sequence[Indices], laid: Sequence[Indices]) -> Floats:
    """Volume in mL that each pair shares, from one pass over all voxels of the second scan."""
    shared = np.zeros((len(mine), len(laid)))
    if not mine or not laid:
        return shared
    flat = np.concatenate(mine)
    owner = np.repeat(np.arange(len(mine)), [one.size for one in mine])
    order = np.argsort(flat)
    flat, owner = flat[order], owner[order]
    heights = grid.heights * grid.spacing[1] * grid.spacing[2] / 1000.0
    for j, voxels in enumerate(laid):
        place = np.minimum(np.searchsorted(flat, voxels), flat.size - 1)
        hit = flat[place] == voxels
        weights = heights[voxels[hit] // (grid.shape[1] * grid.shape[2])]
        shared[:, j] = np.bincount(owner[place[hit]], weights=weights, minlength=len(mine))
    return shared


def _centres(grid: Grid, lesions: tuple[PlacedLesion, ...]) -> Floats:
    """Centroids in mm, shape (n, 3)."""
    return np.array(
        [
            grid.voxel_to_patient(np.stack(np.unravel_index(one.voxels, grid.shape), axis=1)).mean(
                axis=0
            )
            for one in lesions
        ]
    ).reshape(-1, 3)


def is_inside(grid: Grid, points: Floats) -> NDArray[np.bool_]:
    """Whether points in mm, (n, 3), lie in the image."""
    places = grid.patient_to_voxel(points)
    return np.all((places >= -0.5) & (places <= np.asarray(grid.shape) - 0.5), axis=1)


def _best(gain: Floats, by: MatchedBy) -> list[_Link]:
    """One to one, so that the sum of gains is the greatest; no gain is no match."""
    rows, columns = linear_sum_assignment(gain, maximize=True)
    return [(int(i), int(j), by) for i, j in zip(rows, columns, strict=True) if gain[i, j] > 0]


def _closeness(distance_mm: Floats, rule: MatchingRule, is_free: NDArray[np.bool_]) -> Floats:
    """Gain from a pair by distance: with the constant, two pairs are worth more than one."""
    largest = rule.largest_distance_mm
    # To the nanometre, so that equal distances stay equal wherever the patient lies.
    apart = np.round(distance_mm, 6)
    return np.where(is_free & (apart <= largest + _SLACK), 2 * largest - apart, 0.0)


def _parts(
    is_shared: NDArray[np.bool_], shared_ml: Floats, links: Sequence[tuple[int, int]]
) -> dict[int, list[int]]:
    """Columns without a partner, by the row that they share most with.

    That row has a partner: else the two would have been matched.
    """
    taken = {column for _, column in links}
    parts: dict[int, list[int]] = {}
    for column in np.flatnonzero(is_shared.any(axis=0)):
        if column not in taken:
            row = int(np.where(is_shared[:, column], shared_ml[:, column], -1.0).argmax())
            parts.setdefault(row, []).append(int(column))
    return parts


def _sites(
    ours: tuple[PlacedLesion, ...],
    theirs: tuple[PlacedLesion, ...],
    pairs: _Pairs,
    links: Sequence[_Link],
    first_parts: Mapping[int, list[int]],
    second_parts: Mapping[int, list[int]],
) -> tuple[Site, ...]:
    seen_first = {i for i, _, _ in links}.union(*first_parts.values())
    seen_second = {j for _, j, _ in links}.union(*second_parts.values())
    both = [
        _site_of_both(
            ours[i],
            theirs[j],
            by,
            first_parts=tuple(ours[k].name for k in first_parts.get(j, ())),
            second_parts=tuple(theirs[k].name for k in second_parts.get(i, ())),
            shared_ml=float(pairs.shared_ml[i, j]),
            dice=float(pairs.dice[i, j]),
            distance_mm=float(pairs.distance_mm[i, j]),
        )
        for i, j, by in links
    ]
    alone = [
        *_alone(ours, seen_first, pairs.covers_first, "first-only"),
        *_alone(theirs, seen_second, pairs.covers_second, "second-only"),
    ]
    in_order = sorted(both + alone, key=lambda s: (s.first is None, s.first or "", s.second or ""))
    return tuple(in_order)


def _alone(
    lesions: tuple[PlacedLesion, ...],
    seen: set[int],
    is_covered: NDArray[np.bool_],
    outcome: Literal["first-only", "second-only"],
) -> list[Site]:
    is_first = outcome == "first-only"
    return [
        Site(
            outcome=outcome if is_covered[i] else "not-covered",
            first=lesion.name if is_first else None,
            second=None if is_first else lesion.name,
            region=lesion.region,
        )
        for i, lesion in enumerate(lesions)
        if i not in seen
    ]


def _site_of_both(
    one: PlacedLesion,
    other: PlacedLesion,
    by: MatchedBy,
    *,
    first_parts: tuple[str, ...],
    second_parts: tuple[str, ...],
    shared_ml: float,
    dice: float,
    distance_mm: float,
) -> Site:
    return Site(
        outcome="both",
        first=one.name,
        second=other.name,
        first_parts=first_parts,
        second_parts=second_parts,
        matched_by=by,
        shared_ml=shared_ml,
        dice=dice,
        distance_mm=distance_mm,
        region=one.region or other.region,
        regions_differ=bool(one.region and other.region and one.region != other.region),
    )


def _manifold(
    is_shared: NDArray[np.bool_],
    wholes: tuple[PlacedLesion, ...],
    parts: tuple[PlacedLesion, ...],
) -> Mapping[str, tuple[str, ...]]:
    """Lesions that share enough with two or more of the other scan, with those."""
    return MappingProxyType(
        {
            whole.name: tuple(parts[j].name for j in np.flatnonzero(row))
            for whole, row in zip(wholes, is_shared, strict=True)
            if np.count_nonzero(row) > 1
        }
    )


def _of_regions(sites: Iterable[Site]) -> Mapping[str, Outcome]:
    outcomes: dict[str, list[Outcome]] = {}
    for site in sites:
        if site.region:
            outcomes.setdefault(site.region, []).append(site.outcome)
    return MappingProxyType({region: together(outcomes[region]) for region in sorted(outcomes)})


def together(outcomes: Iterable[Outcome]) -> Outcome:
    """What sites say of what holds them all: each scan is positive if one of its sites is.

    A site that one scan does not cover says nothing, unless there is no other.

    >>> together(["first-only", "second-only"]), together([]), together(["not-covered"])
    ('both', 'neither', 'not-covered')
    """
    found = set(outcomes)
    is_first, is_second = (
        bool(found & {"both", "first-only"}),
        bool(found & {"both", "second-only"}),
    )
    if is_first and is_second:
        return "both"
    if is_first or is_second:
        return "first-only" if is_first else "second-only"
    return "not-covered" if found == {"not-covered"} else "neither"
