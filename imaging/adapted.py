"""Regions down to a threshold that lies between the lesion and the tissue around it.

    threshold = times_signal * signal + times_background * background

    signal        SUVmax, SUVpeak, or the mean of what reaches 70 % of SUVmax ("suvmean70")
    background    median of the tissue 10 to 20 mm from what reaches 70 % of SUVmax

One form for what is published, told apart by its numbers, which are protocol data:

    half way between maximum and background       suvmax, 0.5, 0.5: Boellaard et al., J Nucl Med
                                                  2004;45:1519 (ROI 0.5(BG+MAX))
    half way between peak and background          suvpeak, 0.5, 0.5
    contrast-oriented                             suvmean70, 0.5, 0.5: Schaefer et al., Eur J Nucl
                                                  Med Mol Imaging 2008;35:1989, where both numbers
                                                  are those of the scanner
    above the background                          suvmean70, 0.15, 1: Nestle et al., J Nucl Med
                                                  2005;46:1342

The papers let a reader draw the background; here it is the shell, so that the same click gives the
same region, and its median, so that a lesion or an organ in a part of the shell counts little.

Half way is not without a bias: blur of standard deviation s takes a sphere of radius R to
R - s^2 / R, so that one of 22 mm comes out 16 % small at 6 mm. It is the same at any contrast,
which is what the method is for.

The mistake to fear is a lesion that hardly stands out: then what reaches 70 % of its maximum runs
into the background, and there is no shell to speak of. Under 10 : 7 such a region is refused.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from imaging import seeded
from imaging.geometry import Grid
from imaging.peaks import sphere_means
from imaging.seeded import Grown, Place
from imaging.segmentation import Indices, SegmentationError, Volume

CORE = 0.7
# Nearest and farthest distance of the background from the core. Nearer a 6 mm blur still shows
# the lesion: of a sphere of 37 mm 1 % of its contrast.
SHELL_MM = (10.0, 20.0)
# Fewer voxels than this are no median of the tissue around.
FEWEST = 20

SIGNALS = ("suvmax", "suvpeak", "suvmean70")


def to_background(
    suv: Volume,
    seed: Place,
    *,
    grid: Grid,
    signal: str,
    times_signal: float,
    times_background: float,
    largest_ml: float,
) -> Grown:
    """The region around the hottest voxel near a click, down to the adapted threshold.

    Parameters
    ----------
    suv, seed, grid, largest_ml
        As for `imaging.seeded.at_threshold`.
    signal : str
        One of `SIGNALS`.
    times_signal, times_background : float
        Of the threshold; see above.

    Returns
    -------
    Grown
        It came to "signal" and "background".

    Raises
    ------
    SegmentationError
        "seed-outside", "region-leaks"; "no-contrast" where the lesion does not stand out from what
        is around it; "background-missing" where the image ends too near; "threshold-invalid" where
        the threshold lies above the lesion or not above its background.
    """
    core = _core(suv, seed, grid, largest_ml)
    background = _background(suv, core.flat, grid)
    found = _signal(suv, core, grid, signal)
    maximum = float(suv[core.seed])
    threshold = times_signal * found + times_background * background
    if not background < threshold <= maximum:
        raise SegmentationError(
            "threshold-invalid",
            f"The adapted threshold of {threshold:.2f} g/mL does not lie between the background, "
            f"{background:.2f} g/mL, and the hottest voxel near this place, {maximum:.2f} g/mL. "
            "Take another method for this lesion.",
        )
    grown = seeded.at_threshold(
        suv, core.seed, grid=grid, threshold=threshold, largest_ml=largest_ml
    )
    is_hotter = bool(suv.ravel()[grown.flat].max() > suv[core.seed])
    came_to = {"signal": found, "background": background}
    return replace(grown, holds_hotter=is_hotter, came_to=came_to)


def _core(suv: Volume, seed: Place, grid: Grid, largest_ml: float) -> Grown:
    """What reaches 70 % of the maximum: the lesion, if it stands out at all."""
    try:
        return seeded.at_part_of_maximum(suv, seed, grid=grid, part=CORE, largest_ml=largest_ml)
    except SegmentationError as error:
        if error.code != "region-leaks":
            raise
        raise SegmentationError(
            "no-contrast",
            f"What reaches 70 % of the hottest voxel near this place is larger than {largest_ml:g} "
            "mL: nothing stands out from its background here.",
        ) from error


def _background(suv: Volume, core: Indices, grid: Grid) -> float:
    """Median of the shell; distances count planes as even, which they are within 5 %."""
    nearest, farthest = SHELL_MM
    places = np.stack(np.unravel_index(core, suv.shape))
    reach = np.ceil(farthest / np.asarray(grid.spacing)).astype(int)
    low = np.maximum(places.min(axis=1) - reach, 0)
    high = np.minimum(places.max(axis=1) + reach + 1, suv.shape)
    outside = np.ones(high - low, bool)
    outside[tuple(places - low[:, None])] = False
    distance = ndimage.distance_transform_edt(outside, sampling=grid.spacing)
    crop = suv[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    shell = crop[(distance >= nearest) & (distance <= farthest)]
    if shell.size < FEWEST:
        raise SegmentationError(
            "background-missing",
            f"Only {shell.size} voxels lie {nearest:g} to {farthest:g} mm around this place, too "
            "few to tell its background. Take another method for a lesion at the image's border.",
        )
    return float(np.median(shell))


def _signal(suv: Volume, core: Grown, grid: Grid, signal: str) -> float:
    if signal == "suvmax":
        return float(suv[core.seed])
    if signal == "suvpeak":
        return float(sphere_means(suv, core.flat, grid=grid)[0].max())
    if signal == "suvmean70":
        return float(suv.ravel()[core.flat].mean(dtype=np.float64))
    raise SegmentationError("method-unknown", f"No threshold is adapted to {signal!r}.")
