"""PET series in a folder of files, as any archive or disc has them. No database is asked.

One file at a time, and never more of one than its own size: a folder is not trusted.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
from pydicom.uid import DeflatedExplicitVRLittleEndian

from imaging import acceptance, geometry, pixels, volume
from imaging.headers import PetHeader, pet_header
from imaging.series_report import Pixels, Skipped
from imaging.suv import SuvScale

LONGEST_REASON = 200
# In bytes. pydicom asks a file on disk where it is at each element, and is faster in memory. A
# slice of PET is smaller, and its pixels are read next; one of CT is larger, and left where it is.
IN_MEMORY = 512 * 1024


class PixelsError(ValueError):
    """Pixel data that can't be used; `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class FolderSeries:
    """The files of one PET series with their headers, in the same order.

    `flags` are those of the geometry that tell against the numbers.
    """

    files: list[Path] = field(default_factory=list)
    headers: list[PetHeader] = field(default_factory=list)
    flags: tuple[str, ...] = ()


def pet_series(folder: Path) -> tuple[list[FolderSeries], list[Skipped]]:
    """Every PET series below a folder, and the files that belong to none with the reason."""
    series: dict[str, FolderSeries] = {}
    skipped: dict[tuple[str, str], list[str]] = {}
    seen: set[str] = set()
    for file, reason in files_below(folder):
        name = str(file.relative_to(folder))
        found = reason or _header(file)
        if isinstance(found, PetHeader) and found.sop_instance_uid in seen:
            found = "the same SOP Instance UID (0008,0018) as a file before"
        if isinstance(found, str):
            # Thousands of CT images are one line; of broken files each has its own.
            group = found if found.startswith("Modality") else name
            skipped.setdefault((group, found), []).append(name)
            continue
        seen.add(found.sop_instance_uid)
        one = series.setdefault(found.series_instance_uid, FolderSeries())
        one.files.append(file)
        one.headers.append(found)
    left = [Skipped(names[0], reason, len(names)) for (_, reason), names in skipped.items()]
    return list(series.values()), left


def in_order_of_planes(series: FolderSeries) -> FolderSeries:
    """The series sorted along its slice normal.

    Raises
    ------
    GeometryError
        If the slices are no volume.
    """
    if len(series.headers) == 1:
        return series
    stack = geometry.stack_from_headers(series.headers)
    return FolderSeries(
        [series.files[i] for i in stack.order],
        [series.headers[i] for i in stack.order],
        stack.grid.flags,
    )


def measured(series: FolderSeries, scale: SuvScale) -> Pixels:
    """Largest and mean SUVbw over all voxels; a slice at a time, nothing is kept.

    Raises
    ------
    PixelsError
        If some files have pixels and others do not, or they can't be read.
    VolumeError
        If they do not fit their headers.
    """
    high, total, count, empty = -np.inf, 0.0, 0, 0
    for place, (file, header) in enumerate(zip(series.files, series.headers, strict=True)):
        stored = _stored(file, header)
        if stored is None:
            empty += 1
            continue
        plane = volume.rescaled([header], [stored], factor=scale.of_slice(place))
        high = max(high, float(plane.max()))
        total += float(plane.sum(dtype=np.float64))
        count += plane.size
    if not count:
        return Pixels(None, None)
    if empty:
        raise PixelsError("pixels-missing", f"{empty} files have no Pixel Data (7FE0,0010).")
    return Pixels(high, total / count)


def files_below(folder: Path) -> Iterator[tuple[Path, str]]:
    """Everything below a folder but folders, in order, and why it is not to be opened.

    A link to a folder is not followed: it may lead back, or anywhere. A pipe would wait for
    whoever writes into it.
    """
    found: list[tuple[Path, str]] = []

    def unreadable(error: OSError) -> None:
        found.append((Path(error.filename), f"unreadable: {error.strerror}"))

    for place, folders, names in os.walk(folder, onerror=unreadable):
        links = [Path(place, name) for name in folders if Path(place, name).is_symlink()]
        found += [(link, "a link to a folder, not followed") for link in links]
        found += [(Path(place, name), _not_to_open(Path(place, name))) for name in names]
    yield from sorted(found)


_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def _not_to_open(file: Path) -> str:
    """Why a file is not opened; empty for a plain one, or a link to one."""
    try:
        mode = file.stat().st_mode
    except OSError as error:
        return f"unreadable: {error.strerror}"
    kinds = [f"{kind}, no file" for applies, kind in _KINDS if applies(mode)]
    return kinds[0] if kinds else ""


def _header(file: Path) -> PetHeader | str:
    """The header of a PET image, or why the file is none."""
    try:
        data = file.read_bytes() if file.stat().st_size <= IN_MEMORY else None
        # A UID that is nowhere in a file is not that of its encoding.
        if (data is None or DeflatedExplicitVRLittleEndian.encode() in data) and _is_deflated(file):
            return "deflated Transfer Syntax (0002,0010): its size when unpacked is not known"
        ds = pydicom.dcmread(file if data is None else BytesIO(data), stop_before_pixels=True)
        if ds.file_meta.get("MediaStorageSOPClassUID") == "1.2.840.10008.1.3.10":
            return "DICOMDIR"
        modality = str(ds.get("Modality", ""))
        if modality != "PT":
            return f"Modality (0008,0060) {modality or 'missing'}, not PT"[:LONGEST_REASON]
        return pet_header(ds)
    except Exception as error:
        kind = "not DICOM" if type(error).__name__ == "InvalidDicomError" else "unreadable"
        return f"{kind}: {error}"[:LONGEST_REASON]


def _is_deflated(file: Path) -> bool:
    """Whether all behind the file meta is compressed, which pydicom would unpack at once.

    A megabyte of it can be a thousand: measured, 2.2 GB of memory.
    """
    meta = pydicom.filereader.read_file_meta_info(file)
    return str(meta.get("TransferSyntaxUID", "")) == DeflatedExplicitVRLittleEndian


def _stored(file: Path, header: PetHeader) -> np.ndarray | None:
    refusal = acceptance.verdict_on_encoding(header.transfer_syntax_uid)
    if refusal:
        raise PixelsError(refusal.code, refusal.message)
    if max(header.rows, header.columns) > acceptance.LARGEST_MATRIX:
        raise PixelsError("matrix-too-large", f"{header.rows} x {header.columns} (0028,0010).")
    try:
        return pixels.stored_values(file.read_bytes(), header)
    except pixels.NoPixelData:
        return None
    except Exception as error:
        message = f"Pixel Data (7FE0,0010) of {file.name} can't be read: {error}"
        raise PixelsError("pixels-unreadable", message[:LONGEST_REASON]) from error


def sequence_of(series: Sequence[FolderSeries]) -> list[FolderSeries]:
    """Series in the order of their UIDs, so that two runs print the same."""
    return sorted(series, key=lambda one: one.headers[0].series_instance_uid)
