"""A uniform sphere seen through a Gaussian: what a perfect scanner of known resolution shows.

A sphere of radius R and contrast 1, convolved with an isotropic Gaussian of standard
deviation s, has the value

    P(r) = [erf((R+r)/(s sqrt 2)) + erf((R-r)/(s sqrt 2))] / 2
           - s / (r sqrt(2 pi)) * [exp(-(R-r)^2 / 2 s^2) - exp(-(R+r)^2 / 2 s^2)]

at the distance r from its centre. It is the truth that a measurement on a phantom is held
against: SUVmax, SUVmean, SUVpeak and volume of a small lesion are *not* those of the sphere.

The mistake to fear is comparing a thresholded volume with the true one: at half contrast a
sphere of twice the resolution comes out a few percent small, at other thresholds far off.

References
----------
Soret, Bacharach, Buvat, J Nucl Med 2007;48:932 (partial volume). The formula follows by
integrating the Gaussian over the sphere in spherical coordinates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import integrate, optimize, special

Floats = NDArray[np.float64]

# Standard deviations in one full width at half maximum: 2 sqrt(2 ln 2).
FWHM_PER_SD = 2 * math.sqrt(2 * math.log(2))


@dataclass(frozen=True, slots=True, kw_only=True)
class BlurredSphere:
    """A sphere of `radius` mm with SUV `inside` in a wide background of SUV `outside`, g/mL.

    `fwhm` is the full width at half maximum of the blur in mm.

    Raises
    ------
    ValueError
        If radius or blur are not positive, or the sphere is not hotter than its background.
    """

    radius: float
    fwhm: float
    inside: float
    outside: float = 0.0

    def __post_init__(self) -> None:
        if not (self.radius > 0 and self.fwhm > 0):
            raise ValueError(f"radius and blur must be positive, got {self.radius}, {self.fwhm}")
        if not self.inside > self.outside:
            raise ValueError(f"SUV {self.inside} inside must be above {self.outside} outside")

    @property
    def sd(self) -> float:
        """Standard deviation of the blur in mm."""
        return self.fwhm / FWHM_PER_SD

    @property
    def maximum(self) -> float:
        """SUV at the centre, the highest there is.

        A sphere as wide as three times the blur still shows all of its contrast:

        >>> round(BlurredSphere(radius=9, fwhm=6, inside=1).maximum, 3)
        0.994
        """
        return float(self.at(0.0))

    def at(self, distance: ArrayLike) -> Floats:
        """SUV at distances from the centre, in mm, of any shape."""
        return np.asarray(self.outside + (self.inside - self.outside) * self._contrast(distance))

    def radius_at(self, threshold: float) -> float:
        """Distance in mm at which the SUV has fallen to a threshold.

        Raises
        ------
        ValueError
            If no part of the sphere reaches the threshold, or the background does.
        """
        if not self.outside < threshold <= self.maximum:
            raise ValueError(
                f"SUV {threshold:g} is not between {self.outside:g} outside and the "
                f"maximum {self.maximum:.4g}"
            )
        end = self.radius + 40 * self.sd
        return float(optimize.brentq(lambda r: float(self.at(r)) - threshold, 0.0, end, xtol=1e-9))

    def mean_within(self, distance: float) -> float:
        """Mean SUV in the concentric sphere of a radius in mm."""
        if not distance > 0:
            raise ValueError(f"a mean needs a positive radius, got {distance}")
        # The edge may be a needle's width on the scale of the integral.
        edge = (self.radius - 8 * self.sd, self.radius, self.radius + 8 * self.sd)
        total, _ = integrate.quad(
            lambda r: r * r * float(self.at(r)),
            0.0,
            distance,
            points=[r for r in edge if 0 < r < distance],
            limit=200,
        )
        return float(3 * total / distance**3)

    @property
    def peak(self) -> float:
        """Mean SUV in the concentric sphere of 1 cm³: no other place gives a higher one."""
        return self.mean_within(sphere_radius_mm(1.0))

    def _contrast(self, distance: ArrayLike) -> Floats:
        r = np.asarray(distance, dtype=np.float64)
        far, near = (self.radius + r) / self.sd, (self.radius - r) / self.sd
        steps = (special.erf(far / math.sqrt(2)) + special.erf(near / math.sqrt(2))) / 2
        return np.asarray(steps - self._curvature(r, far, near))

    def _curvature(self, r: Floats, far: Floats, near: Floats) -> Floats:
        """What the roundness of the sphere takes away; its limit where r is next to nothing."""
        ratio = self.radius / self.sd
        central = math.sqrt(2 / math.pi) * ratio * math.exp(-(ratio**2) / 2)
        bell = np.exp(-(near**2) / 2) - np.exp(-(far**2) / 2)
        # Below a millionth of the blur the difference of the bells is rounding.
        small = r < 1e-6 * self.sd
        safe = np.where(small, 1.0, r)
        return np.where(small, central, self.sd / (safe * math.sqrt(2 * math.pi)) * bell)


def sphere_volume_ml(radius_mm: float) -> float:
    """Volume in mL of a sphere of a radius in mm.

    >>> round(sphere_volume_ml(10.0), 3)
    4.189
    """
    return 4 / 3 * math.pi * radius_mm**3 / 1000


def sphere_radius_mm(volume_ml: float) -> float:
    """Radius in mm of a sphere of a volume in mL.

    >>> round(sphere_radius_mm(1.0), 4)
    6.2035
    """
    return float(10 * (3 * volume_ml / (4 * math.pi)) ** (1 / 3))
