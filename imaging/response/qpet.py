"""qPET: the Deauville scale made continuous.

    qPET = SUVpeak of the hottest residual lesion / mean SUV of the liver

    score   1-2      3           4          5
    qPET    < 0.95   from 0.95   from 1.3   from 2.0

Its SUVpeak is the mean of the hottest voxel and its three hottest neighbours, some 0.2 mL, not
that of 1 mL, which is lower. The mistake to fear is to put the one for the other. Scores 1 and
2 are not told apart.

References
----------
Hasenclever et al., Eur J Nucl Med Mol Imaging 2014;41:1301: categories 3, 4 and 5 correspond to
0.95, 1.3 and 2.0, taken here as the lowest value of each.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from imaging.cut_offs import is_measured, is_positive, reaches, words
from imaging.response.terms import Category, Response, answer, fdg_flags, numbers
from imaging.segmentation import Indices, Volume

SCALE = "qPET"
SOURCE = "Hasenclever et al., Eur J Nucl Med Mol Imaging 2014;41:1301"
PEAK_DEFINITION = "hottest_voxel_and_three_neighbours"
NEIGHBOURS = 3

CUT_OFFS: tuple[tuple[float, Category], ...] = ((2.0, "5"), (1.3, "4"), (0.95, "3"))


class QpetError(ValueError):
    """A lesion too small to have the peak of qPET."""


def qpet_peak(suv: Volume, flat: Indices) -> float:
    """Mean SUV in g/mL of the hottest voxel and its three hottest neighbours.

    Parameters
    ----------
    suv : ndarray, shape (K, M, N)
        SUVbw in g/mL.
    flat : ndarray, shape (V,)
        Voxels of the lesion, indices into the raveled volume. Neighbours touch by face, edge or
        corner and are of the lesion, so that a hot organ beside it does not count. Where
        several voxels are hottest, the highest peak counts.

    Raises
    ------
    QpetError
        If no hottest voxel has three neighbours in the lesion.
    """
    values = suv.ravel()[flat].astype(np.float64)
    if values.size == 0:
        raise QpetError("The lesion has no voxels.")
    places = np.stack(np.unravel_index(flat, suv.shape), axis=1)
    peaks = [
        (values[centre] + math.fsum(beside[:NEIGHBOURS])) / (1 + NEIGHBOURS)
        for centre in np.flatnonzero(values == values.max())
        for beside in [_beside(values, places, int(centre))]
        if len(beside) >= NEIGHBOURS
    ]
    if not peaks:
        raise QpetError("The hottest voxel has fewer than three neighbours in the lesion.")
    return float(max(peaks))


def _beside(values: np.ndarray, places: Indices, centre: int) -> list[float]:
    """Values of the voxels that touch a voxel, highest first."""
    touches = np.abs(places - places[centre]).max(axis=1) == 1
    return sorted(values[touches].tolist(), reverse=True)


def qpet(
    peak: float | None, *, peak_definition: str, liver_mean: float | None, tracer: str
) -> Response:
    """Deauville score that a qPET value corresponds to ("1-2", "3", "4", "5"), or NE.

    Parameters
    ----------
    peak : float or None
        SUVpeak in g/mL of the hottest residual lesion; None is not measured.
    peak_definition : str
        How it was measured; only "hottest_voxel_and_three_neighbours" gives a qPET.
    liver_mean : float or None
        Mean SUV in g/mL of the liver.
    tracer : str
        The scale is flagged for any but FDG.
    """
    against = tuple(_problems(peak, peak_definition, liver_mean))
    if against or peak is None or liver_mean is None:
        return answer("NE", against, scale=SCALE, source=SOURCE, flags=fdg_flags(tracer))
    ratio = peak / liver_mean
    category, why = _score(ratio)
    return answer(
        category,
        (f"{words(peak)} / {words(liver_mean)} g/mL is {why}",),
        scale=SCALE,
        source=SOURCE,
        used=numbers(
            ("SUVpeak (hottest voxel and three neighbours)", peak, "g/mL"),
            ("Mean SUV of the liver", liver_mean, "g/mL"),
            ("qPET", ratio, ""),
        ),
        flags=fdg_flags(tracer),
    )


def _problems(peak: float | None, peak_definition: str, liver_mean: float | None) -> Iterator[str]:
    if not is_measured(peak):
        yield "SUVpeak of the lesion is missing"
    if peak_definition != PEAK_DEFINITION:
        yield (
            "SUVpeak must be the mean of the hottest voxel and its three hottest neighbours, "
            f"got {peak_definition or 'no definition'}"
        )
    if not is_positive(liver_mean):
        yield "the mean SUV of the liver is missing or not positive"


def _score(ratio: float) -> tuple[Category, str]:
    for cut, score in CUT_OFFS:
        if reaches(ratio, cut):
            return score, f"{words(ratio, cut)}, at least {cut:g}"
    cut = CUT_OFFS[-1][0]
    return "1-2", f"{words(ratio, cut)}, under {cut:g}"
