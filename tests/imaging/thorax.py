"""A chest by formula: lungs, spine, mediastinal fat, aorta, oesophagus and heart, CT and PET.

Tubes and ellipsoids in the patient's axes (LPS, mm). What the scanner does is a blur of 6 mm on the
PET and white noise on both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache

import numpy as np
from scipy import ndimage

from imaging.geometry import Grid

AORTA = (23.0, 36.0)
CT = Grid(shape=(60, 132, 132), spacing=(4.0, 2.8, 2.8), origin=(-183.4, -183.4, -118.0))
PET = Grid(shape=(60, 92, 92), spacing=(4.0, 4.0, 4.0), origin=(-182.0, -182.0, -118.0))
SUV = {
    "air": 0.0, "body": 0.7, "lung": 0.4, "fat": 0.3, "bone": 1.2, "heart": 3.0, "blood": 1.6,
    "oesophagus": 1.3, "liver": 2.0, "chalk": 1.2,
}  # fmt: skip
HU = {
    "air": -1000, "body": 40, "lung": -800, "fat": -95, "bone": 320, "heart": 42, "blood": 42,
    "oesophagus": 35, "liver": 58, "chalk": 900,
}  # fmt: skip


@cache
def _tissues(grid: Grid, without=(), with_chalk=False, aorta=AORTA) -> np.ndarray:
    """Which tissue each voxel is of, as a place in `SUV`. A later solid covers an earlier one."""
    z, y, x = (
        start + np.arange(size) * step
        for start, size, step in zip(grid.origin[::-1], grid.shape, grid.spacing, strict=True)
    )
    found = np.zeros(grid.shape, np.uint8)
    for tissue, inside in _solids(x, y[:, None], z[:, None, None], aorta, with_chalk):
        if tissue not in without:
            found[np.broadcast_to(inside, grid.shape)] = list(SUV).index(tissue)
    return found


def painted(grid: Grid, values: Mapping[str, float], **more) -> np.ndarray:
    """One value a tissue; shape of the grid, float32."""
    return np.array([values[tissue] for tissue in SUV], np.float32)[_tissues(grid, **more)]


def _solids(x, y, z, aorta, with_chalk) -> Iterator[tuple[str, np.ndarray]]:
    upright = np.abs(z) < 180
    yield "body", (x / 170) ** 2 + (y / 110) ** 2 < 1
    for side in (-1, 1):
        yield "lung", ((x - side * 80) / 66) ** 2 + (y / 85) ** 2 + ((z - 20) / 110) ** 2 < 1
    chest = (z > -60) & (z < 110)
    yield "fat", ((x / 34) ** 2 + ((y - 15) / 50) ** 2 < 1) & chest
    yield "heart", ((x - 25) / 50) ** 2 + ((y + 40) / 42) ** 2 + ((z + 20) / 50) ** 2 < 1
    yield "liver", ((x + 60) / 80) ** 2 + (y / 80) ** 2 + ((z + 140) / 55) ** 2 < 1
    yield "bone", (x**2 + (y - 66) ** 2 < 18**2) & upright
    yield "oesophagus", (x - 2) ** 2 + (y - 25) ** 2 < 7**2
    tube = (x - aorta[0]) ** 2 + (y - aorta[1]) ** 2
    if with_chalk:
        yield "chalk", (tube < 15**2) & upright & (x > aorta[0])
    yield "blood", (tube < 12.5**2) & upright & (z < 90)


def ct_of(grid: Grid = CT, *, values=HU, noise=12.0, **more) -> np.ndarray:
    """CT in HU, int16."""
    found = painted(grid, values, **more)
    white = np.random.default_rng(1).standard_normal(grid.shape, dtype=np.float32)
    return np.rint(found + noise * white).astype(np.int16)


def pet_of(grid: Grid = PET, *, noise=0.04, values=SUV, extra=None, **more) -> np.ndarray:
    """SUV in g/mL, float32; `extra` is added before the blur."""
    found = painted(grid, values, **more)
    if extra is not None:
        found += extra
    found = ndimage.gaussian_filter(found, [6.0 / 2.3548 / step for step in grid.spacing])
    white = np.random.default_rng(2).standard_normal(grid.shape, dtype=np.float32)
    return (found * (1 + noise * white)).astype(np.float32)


def cut_otherwise(values: np.ndarray, grid: Grid, axes: tuple[int, ...]):
    """The same patient with some array axes counted from the other end."""
    corner = [grid.shape[axis] - 1 if axis in axes else 0 for axis in range(3)]
    x, y, z = (float(one) for one in grid.voxel_to_patient(corner))
    turned = replace(
        grid,
        origin=(x, y, z),
        row=tuple(-one for one in grid.row) if 2 in axes else grid.row,
        column=tuple(-one for one in grid.column) if 1 in axes else grid.column,
    )
    return np.ascontiguousarray(np.flip(values, axes)), turned
