"""What a measurement on a phantom's sphere must give, and how far it may be off.

The value is that of the closed form of the blurred sphere. The tolerance has two parts, and
neither comes from our own measurements:

    grid    the closed form is laid on the voxels in 125 positions of the sphere against the
            grid, averaged over each voxel, and measured there by the bare definitions below;
            the largest difference from the value
    noise   what white noise of the stated size can do to it at odds of 1 in 100 000:
            SUVmax, SUVpeak  quantile of the largest of all voxels of the region
            SUVmean          quantile of a mean, and the region of a threshold one SD off
            volume           the region of a threshold one SD off, on all voxels alike
            TBR              SUVmax and the mean of the reference sphere together

The largest of n noisy voxels lies above the true maximum more often than below, so SUVmax
comes out high; the tolerance allows for it, the value does not anticipate it. Stored values
are rounded to 1/32767 of the hottest voxel of a slice, which is next to nothing here.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, special

from imaging.blurred_sphere import BlurredSphere, sphere_radius_mm, sphere_volume_ml

Floats = NDArray[np.float64]
Spacing = tuple[float, float, float]

QUANTITIES = ("suvmax", "suvmean", "suvpeak", "volume_ml")
# One of 100 000 measurements may be outside by noise alone.
ODDS = 1e-5
# Positions of the sphere along each axis, from a voxel's centre to its border; the other half
# is the same by symmetry.
POSITIONS = 5
# Two Gauss-Legendre points average a cubic over a voxel exactly.
NODES = (-0.5 / math.sqrt(3), 0.5 / math.sqrt(3))


@dataclass(frozen=True, slots=True)
class Expected:
    """A value in the unit of its quantity, and the two parts of its tolerance."""

    value: float
    grid: float
    noise: float

    @property
    def tolerance(self) -> float:
        return self.grid + self.noise

    def admits(self, measured: float) -> bool:
        """Whether a measurement agrees.

        >>> Expected(8.0, grid=0.25, noise=0.25).admits(8.5)
        True
        """
        return abs(measured - self.value) <= self.tolerance


def of_sphere(
    sphere: BlurredSphere, *, threshold: float, spacing: Spacing, noise: float
) -> dict[str, Expected]:
    """SUVmax, SUVmean, SUVpeak and volume of the region at or above a threshold.

    Parameters
    ----------
    sphere : BlurredSphere
    threshold : float
        SUV in g/mL.
    spacing : (float, float, float)
        (dz, dy, dx) in mm.
    noise : float
        Standard deviation of a voxel with SUV 1 in g/mL; it grows with the root of the SUV.

    Returns
    -------
    dict
        By the names in `QUANTITIES`; SUV in g/mL, volume in mL.
    """
    exact = _exact(sphere, threshold)
    sampled = [_measured(values, threshold, spacing) for values in _placements(sphere, spacing)]
    random = _noise(sphere, threshold, spacing, noise)
    return {
        name: Expected(
            exact[name], max(abs(one[name] - exact[name]) for one in sampled), random[name]
        )
        for name in QUANTITIES
    }


def ratio(suvmax: Expected, *, reference: float, voxels: int, noise: float) -> Expected:
    """TBR: SUVmax over the mean of `voxels` in uniform tissue of SUV `reference`."""
    value = suvmax.value / reference
    mean = _quantile(1) * noise / math.sqrt(reference * voxels)
    return Expected(value, suvmax.grid / reference, suvmax.noise / reference + value * mean)


def _exact(sphere: BlurredSphere, threshold: float) -> dict[str, float]:
    radius = sphere.radius_at(threshold)
    return {
        "suvmax": sphere.maximum,
        "suvmean": sphere.mean_within(radius),
        "suvpeak": sphere.peak,
        "volume_ml": sphere_volume_ml(radius),
    }


def _placements(sphere: BlurredSphere, spacing: Spacing) -> list[Floats]:
    """The sphere on the grid in every position: volumes of voxel averages."""
    reach = sphere.radius + 4 * sphere.sd
    axes = [np.arange(-(n := math.ceil(reach / step) + 1), n + 1) * step for step in spacing]
    shifts = [np.linspace(0, step / 2, POSITIONS) for step in spacing]
    table = np.linspace(0, 2 * reach + 2 * max(spacing), 4000)
    profile = sphere.at(table)
    return [
        _averaged(
            [axis - part for axis, part in zip(axes, shift, strict=True)], spacing, table, profile
        )
        for shift in itertools.product(*shifts)
    ]


def _averaged(axes: list[Floats], spacing: Spacing, table: Floats, profile: Floats) -> Floats:
    total = np.zeros([axis.size for axis in axes])
    for node in itertools.product(NODES, repeat=3):
        z, y, x = (axis + part * step for axis, part, step in zip(axes, node, spacing, strict=True))
        distance = np.sqrt(z[:, None, None] ** 2 + y[:, None] ** 2 + x**2)
        total += np.interp(distance, table, profile)
    return np.asarray(total / len(NODES) ** 3)


def _measured(values: Floats, threshold: float, spacing: Spacing) -> dict[str, float]:
    """The bare definitions, on a volume that holds one region."""
    inside = values >= threshold
    peaks = ndimage.correlate(values, _peak_kernel(spacing), mode="nearest")
    return {
        "suvmax": float(values.max()),
        "suvmean": float(values[inside].mean()),
        "suvpeak": float(peaks[inside].max()),
        "volume_ml": float(inside.sum()) * math.prod(spacing) / 1000,
    }


def _peak_kernel(spacing: Spacing) -> Floats:
    """Equal weights for the voxels whose centres lie within the sphere of 1 cm³."""
    radius = sphere_radius_mm(1.0)
    axes = [np.arange(-(n := int(radius // step)), n + 1) * step for step in spacing]
    z, y, x = axes
    inside = z[:, None, None] ** 2 + y[:, None] ** 2 + x**2 <= radius**2
    return np.asarray(inside / inside.sum())


def _noise(
    sphere: BlurredSphere, threshold: float, spacing: Spacing, noise: float
) -> dict[str, float]:
    step = noise * math.sqrt(threshold)
    exact = _exact(sphere, threshold)
    below, above = _exact(sphere, threshold - step), _exact(sphere, threshold + step)
    voxels = exact["volume_ml"] * 1000 / math.prod(spacing)
    kernel = np.count_nonzero(_peak_kernel(spacing))
    largest = _quantile(voxels) * noise
    mean = _quantile(1) * noise * math.sqrt(exact["suvmean"] / voxels)
    return {
        "suvmax": largest * math.sqrt(exact["suvmax"]),
        "suvmean": mean + (above["suvmean"] - below["suvmean"]) / 2,
        "suvpeak": largest * math.sqrt(exact["suvpeak"] / kernel),
        "volume_ml": (below["volume_ml"] - above["volume_ml"]) / 2,
    }


def _quantile(voxels: float) -> float:
    """Standard deviations that the largest of some voxels exceeds at the stated odds."""
    return float(-special.ndtri(ODDS / max(voxels, 1)))
