"""CT under a PET slice: grey in a window of HU, the uptake over it in the colours of hot iron.

For the eye alone: no number is measured on what is shown here. The mistake to fear is air where
there is no CT: what lies outside of it is drawn black as air is, so who shows it says how far it
reaches.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from imaging.geometry import Grid
from imaging.rendering import Window, grey
from imaging.resampling import Floats, sampled

Hounsfield = NDArray[np.int16]
Colours = NDArray[np.uint8]

AIR = -1000
# From this part of the SUV window on the uptake has the full opacity; below it lets CT through.
FULL_FROM = 0.25


class CtWindow(StrEnum):
    """Windows of CT by their usual names."""

    SOFT_TISSUE = "soft"
    LUNG = "lung"
    BONE = "bone"

    @property
    def label(self) -> str:
        """Its name on a page."""
        return {"soft": "Soft tissue", "lung": "Lung", "bone": "Bone"}[self]

    @property
    def window(self) -> Window:
        """HU drawn black and white: level 40 width 400, -600 and 1500, 400 and 1800.

        >>> CtWindow.LUNG.window
        Window(lower=-1350, upper=150)
        """
        return {
            CtWindow.SOFT_TISSUE: Window(-160, 240),
            CtWindow.LUNG: Window(-1350, 150),
            CtWindow.BONE: Window(-500, 1300),
        }[self]

    @property
    def words(self) -> str:
        """Its ends as a page says them.

        >>> CtWindow.SOFT_TISSUE.words
        '\u2212160 to 240 HU'
        """
        return f"{self.window.lower:g} to {self.window.upper:g} HU".replace("-", "\u2212")


@dataclass(frozen=True, slots=True)
class Underlay:
    """A CT volume, shape (K, M, N), int16 in HU, on its own grid, and how it is looked at.

    `opacity` is that of the uptake over it: 0 shows CT alone, 1 hides it where uptake is high.
    """

    hounsfield: Hounsfield = field(repr=False)
    grid: Grid
    window: CtWindow
    opacity: float


def blended(suv: NDArray[np.floating], ct: Underlay, points_mm: Floats, window: Window) -> Colours:
    """Colours of a slice, shape (M, N, 3).

    Parameters
    ----------
    suv : ndarray, shape (M, N)
        SUVbw in g/mL.
    ct : Underlay
    points_mm : ndarray, shape (M, N, 3)
        Where each value of `suv` lies in the patient (LPS).
    window : Window
        SUV drawn black and white, g/mL.
    """
    found = sampled(ct.hounsfield, grid=ct.grid, points_mm=points_mm, outside=AIR)
    # In 256 steps: the eye sees no more, and three channels are blended in integers.
    below = grey(found, ct.window.window).astype(np.uint16)
    level = grey(suv, window)
    cover = _COVER[level] * ct.opacity
    weight = np.rint(cover * 256).astype(np.uint16)[..., None]
    mixed = HOT[level].astype(np.uint16) * weight + below[..., None] * (256 - weight)
    return (mixed >> 8).astype(np.uint8)


def covered(pet: Grid, ct: Grid) -> float:
    """Part of the PET volume along the patient that the CT reaches, from 0 to 1.

    Along the planes of the PET, through the middle of each.

    >>> pet = Grid(shape=(10, 2, 2), spacing=(4, 4, 4), origin=(0, 0, 0))
    >>> covered(pet, Grid(shape=(40, 9, 9), spacing=(1, 1, 1), origin=(-2, -2, 20)))
    0.5
    """
    middles = [(k, (pet.shape[1] - 1) / 2, (pet.shape[2] - 1) / 2) for k in range(pet.shape[0])]
    places = ct.patient_to_voxel(pet.voxel_to_patient(middles))
    last = np.asarray(ct.shape) - 1
    return float(np.mean(np.all((places > -0.5) & (places < last + 0.5), axis=-1)))


def hounsfield(values: NDArray[np.float32]) -> Hounsfield:
    """Values in HU as whole numbers; what is out of range is that of its end.

    >>> hounsfield(np.array([-1024.4, 40000.0], np.float32)).tolist()
    [-1024, 32767]
    """
    ends = np.iinfo(np.int16)
    return np.clip(np.rint(values), ends.min, ends.max).astype(np.int16)


def _hot() -> Colours:
    """Black over red and yellow to white, 256 colours."""
    steps = np.linspace(0, 3, 256)[:, None] - np.arange(3)
    return np.asarray(np.rint(np.clip(steps, 0, 1) * 255), dtype=np.uint8)


HOT = _hot()
_COVER = np.clip(np.linspace(0, 1, 256) / FULL_FROM, 0, 1)
