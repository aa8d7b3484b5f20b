"""Stored pixel values of a series as one volume in the unit of its headers.

    value = (stored * slope + intercept) * factor

The mistake to fear is one slope for all: slopes differ from slice to slice (267 different
ones in 267 slices of a real GE series). Stored values keep their sign, negative results are
kept, nothing is clipped.

Memory: the float32 result, 4 bytes per voxel (17 MB for 267 x 128 x 128, 512 MB for
800 x 400 x 400), which stays for the next volume (imaging.kept_memory), and the file of one slice
at a time in each thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from imaging import kept_memory
from imaging.headers import SliceHeader
from imaging.several_threads import in_parts

# Far above any activity concentration, far below what float32 holds.
LARGEST = 1e15
# What single precision holds exactly.
EXACT_BITS = 24


class VolumeError(ValueError):
    """Pixel values that do not fit their header; `code` is stable."""

    code = "pixels-invalid"


def rescaled(
    headers: Iterable[SliceHeader],
    stored: Iterable[NDArray[np.integer]],
    *,
    factor: float | Sequence[float] = 1.0,
) -> NDArray[np.float32]:
    """Volume of slices given in the order of the planes.

    Parameters
    ----------
    headers : iterable of SliceHeader
        One per plane, from the first plane to the last.
    stored : iterable of ndarray, shape (M, N)
        Stored values of the same slices; read one at a time.
    factor : float, or one for each plane
        What to multiply rescaled values with: the factor of an `SuvScale` in g/Bq gives
        SUVbw in g/mL; 1 gives the unit of the headers, such as Bq/mL or HU.

    Returns
    -------
    ndarray, shape (K, M, N), float32

    Raises
    ------
    VolumeError
        If a slice has no rescale slope or intercept, or its array has another shape, sign
        or bit layout than its header says; or if there are more of one than of the other.
    """
    planes = list(headers)
    volume = _empty(planes)
    try:
        for plane, header, array, one in zip(
            volume, planes, stored, _each(factor, planes), strict=True
        ):
            _fill(plane, header, array, one)
    except ValueError as error:
        if isinstance(error, VolumeError):
            raise
        raise VolumeError(f"as many pixel arrays as headers are needed: {error}") from error
    return volume


def read_at_once(
    headers: Iterable[SliceHeader],
    stored: Callable[[int], NDArray[np.integer]],
    *,
    factor: float | Sequence[float] = 1.0,
    threads: int | None = None,
) -> NDArray[np.float32]:
    """As `rescaled`, of slices that `stored` reads by the number of their plane.

    Each thread reads neighbouring planes one after another: reading, checking and converting hold
    no lock of Python for long. Of several slices that can't be taken the first is told.
    """
    planes = list(headers)
    volume, factors = _empty(planes), _each(factor, planes)

    def fill(first: int, end: int) -> None:
        for k in range(first, end):
            _fill(volume[k], planes[k], stored(k), factors[k])

    in_parts(len(planes), fill, threads=threads)
    return volume


def _empty(planes: Sequence[SliceHeader]) -> NDArray[np.float32]:
    if not planes:
        raise VolumeError("there is no slice to build a volume from")
    return kept_memory.empty((len(planes), planes[0].rows, planes[0].columns))


def _each(factor: float | Sequence[float], planes: Sequence[SliceHeader]) -> Sequence[float]:
    return [factor] * len(planes) if isinstance(factor, int | float) else factor


def _fill(
    plane: NDArray[np.float32], header: SliceHeader, stored: NDArray[np.integer], factor: float
) -> None:
    """Write one plane: a single multiplication from stored values to single precision.

    Slope and factor are multiplied in double precision first; stored values of up to 24 bits
    are exact in single precision, so that the error is two roundings, 1.2e-7 of the value.
    """
    if header.rescale_slope is None or header.rescale_intercept is None:
        raise VolumeError(f"Rescale Slope or Intercept is missing on {header.sop_instance_uid}")
    values = _without_foreign_bits(header, _checked(header, stored))
    scale, offset = header.rescale_slope * factor, header.rescale_intercept * factor
    most = 2.0**header.bits_stored * abs(scale) + abs(offset)
    if not most <= LARGEST and not _largest(values, scale, offset) <= LARGEST:
        raise VolumeError(f"values beyond {LARGEST:g} on {header.sop_instance_uid}")
    if header.bits_stored > EXACT_BITS:
        plane[:] = values * scale + offset
        return
    # At once: to copy and then multiply takes one thread half the time while all is in the cache,
    # but several threads each wait twice as often for Python's lock.
    np.multiply(values, np.float32(scale), out=plane, dtype=np.float32, casting="unsafe")
    if offset:
        plane += np.float32(offset)


def _largest(values: NDArray[np.integer], scale: float, offset: float) -> float:
    ends = np.array([values.min(), values.max()], dtype=np.float64)
    return float(np.abs(ends * scale + offset).max())


def _checked(header: SliceHeader, stored: NDArray[np.integer]) -> NDArray[np.integer]:
    if stored.shape != (header.rows, header.columns):
        raise VolumeError(
            f"pixel array of shape {stored.shape}, header says {header.rows} x {header.columns}"
        )
    signed = "i" if header.pixel_representation == 1 else "u"
    if stored.dtype.kind != signed:
        raise VolumeError(
            f"pixel array of type {stored.dtype}, Pixel Representation (0028,0103) is "
            f"{header.pixel_representation}"
        )
    return stored


def _without_foreign_bits(header: SliceHeader, stored: NDArray[np.integer]) -> NDArray[np.integer]:
    """Stored values with overlay bits above the high bit removed and the sign extended."""
    spare = stored.dtype.itemsize * 8 - header.bits_stored
    if spare < 0 or header.high_bit != header.bits_stored - 1:
        raise VolumeError(
            f"Bits Stored {header.bits_stored} with High Bit {header.high_bit} in "
            f"{stored.dtype} is not supported"
        )
    return (stored << spare) >> spare if spare else stored
