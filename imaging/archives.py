"""What may be in a zip archive, and its files taken out: counted by us, never by its word.

An archive states how many entries it has, how long each becomes and where it lies, and each
of these may be a lie. So the number is held against a limit before one entry is read, lengths
are counted while inflating, places may not overlap, and nothing is ever written by a name
that an archive gives. Names are looked at and forgotten: they may be a patient's. An entry is
known by its place in the central directory, counted from one.

The mistake to fear is an answer that depends on what stands first. Everything is looked at,
and of several faults the one that comes first in `PRECEDENCE` is the verdict.

Source: APPNOTE.TXT 6.3.10, PKWARE, sections 4.3 (layout), 4.4 (fields), 4.5.3 (ZIP64).
"""

from __future__ import annotations

import re
import stat
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

# Bytes from an offset on; fewer where the archive ends.
ReadAt = Callable[[int, int], bytes]

HEAD_BYTES = 512
_LOCAL, _CENTRAL = b"PK\3\4", b"PK\1\2"
_END, _END64, _LOCATOR64 = b"PK\5\6", b"PK\6\6", b"PK\6\7"
_END_FORM = struct.Struct("<4s4H2IH")
_END64_FORM = struct.Struct("<4sQ2H2I4Q")
_LOCATOR64_FORM = struct.Struct("<4sIQI")
_CENTRAL_FORM = struct.Struct("<4s6H3I5H2I")
_LOCAL_FORM = struct.Struct("<4s5H3I2H")
_LONGEST_COMMENT = 2**16 - 1
_IN_ZIP64 = 2**32 - 1
# Where a DICOM file says what it is.
_DICM_AT = 128
_READ_BYTES = 2**16


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most that is taken out of one archive.

    `ratio` is inflated over packed. It holds for an archive from `ratio_from_bytes` of contents
    on and for an entry from `entry_ratio_from_bytes` on: a small slice of air alone is packed
    hundreds of times smaller.
    """

    entries: int = 10_000
    entry_bytes: int = 64 * 2**20
    total_bytes: int = 8 * 2**30
    ratio: int = 200
    ratio_from_bytes: int = 16 * 2**20
    entry_ratio_from_bytes: int = 2**20
    directory_bytes: int = 16 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the central directory says of one entry; `number` is its place, from one."""

    number: int
    name: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    attributes: int

    @property
    def is_folder(self) -> bool:
        return self.name.endswith("/")


@dataclass(frozen=True, slots=True)
class Content:
    """One file of an archive. `kind` is FILE, NESTED or the name of a kind of junk."""

    number: int
    kind: str
    data: bytes


class ArchiveError(Exception):
    """An archive that is refused as a whole: a stable code, and what to do.

    `number` is the entry that it was found at, or 0; the sentence names it.
    """

    def __init__(self, code: str, number: int = 0) -> None:
        where = f" Found at entry {number} of the archive." if number else ""
        super().__init__(SENTENCES[code] + where)
        self.code, self.number = code, number


FILE, NESTED = "file", "nested"
_AGAIN = "Pack the images again with a common program, or send the folder as it is."
SENTENCES: Mapping[str, str] = MappingProxyType(
    {
        "archive-truncated": "The archive is cut off: its end, which lists what is in it, is "
        "missing. Copy or export it again and compare the size before you send it.",
        "archive-split": "The archive is one part of several. Join the parts, or send the folder "
        "as it is.",
        "archive-too-many": f"The archive lists more than {Limits().entries:,} entries. Send each "
        "examination by itself.",
        "archive-damaged": f"The archive is damaged or contradicts itself. {_AGAIN}",
        "archive-encrypted": "The archive, or a part of it, is encrypted. Send it without a "
        "password: the way here is encrypted, and identities are removed on arrival.",
        "archive-path": "The archive has an entry whose path is absolute, leads out of its folder, "
        f"or holds a backslash or a control character. {_AGAIN}",
        "archive-special": "The archive has a link, a device or a pipe among its entries. Pack the "
        "files themselves, or send the folder as it is.",
        "archive-duplicate": "The archive has two entries of the same path, and nobody can tell "
        f"which one is meant. {_AGAIN}",
        "archive-compression": "The archive is compressed in a way that is not read here: only "
        "stored and deflated entries are. Pack it again as an ordinary zip, or send the folder.",
        "archive-entry-too-large": f"An entry of the archive becomes larger than "
        f"{Limits().entry_bytes:,} bytes, the most that one file may have. Export the series as "
        "one file per slice.",
        "archive-too-large": f"The contents of the archive are more than {Limits().total_bytes:,} "
        "bytes. Send each examination by itself.",
        "archive-ratio": "The archive becomes many times larger than images do when they are "
        f"unpacked. {_AGAIN}",
        "archive-overlap": f"Entries of the archive lie over one another. {_AGAIN}",
        "archive-size-differs": "An entry of the archive has another length than the archive says. "
        f"{_AGAIN}",
        "archive-empty": "No file that could be an image is in the archive. Pack the folder with "
        "the images as the scanner or archive exports them.",
        "archive-foreign": "This kind of archive is not opened: only zip is. Pack the images as "
        "zip, or send the folder as it is.",
        "archive-nested": "An archive inside an archive is not opened. Unpack it and send its "
        "files, or send it by itself.",
    }
)
# Of several faults the first here is the verdict, whatever order the entries have.
PRECEDENCE: Sequence[str] = tuple(SENTENCES)

_FOREIGN = (b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\0",
            b"\x28\xb5\x2f\xfd", b"MSCF")  # fmt: skip
_NESTED_NAME = re.compile(
    r"\.(zip|zipx|jar|7z|rar|tar|tgz|tbz2?|txz|gz|bz2|xz|zst|lz4|cab|iso|dmg)$", re.IGNORECASE
)
_TEXT_NAME = re.compile(r"\.(txt|md|csv|xml|html?|css|js|json|log|ini|inf|pdf)$", re.IGNORECASE)
_JUNK: Mapping[str, str] = MappingProxyType(
    {
        "dicomdir": "DICOMDIR",
        ".ds_store": ".DS_Store",
        "thumbs.db": "Thumbs.db",
        "desktop.ini": "desktop.ini",
    }
)
_APPLE, _TEXT = "__MACOSX", "text file"
KINDS = (FILE, NESTED, _APPLE, _TEXT, *_JUNK.values())
_DRIVE = re.compile(r"[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def is_archive(head: bytes) -> bool:
    """Whether a file that begins so, with its first `HEAD_BYTES`, is to be opened as a zip.

    >>> is_archive(b"PK" + bytes([3, 4])), is_archive(bytes(128) + b"DICM")
    (True, False)
    """
    return head[:4] in {_LOCAL, _END} and not _is_dicom(head)


def is_foreign(head: bytes) -> bool:
    """Whether a file that begins so is an archive of another kind.

    >>> is_foreign(b"Rar!" + bytes([26, 7, 0]))
    True
    """
    return not _is_dicom(head) and (head.startswith(_FOREIGN) or head[257:262] == b"ustar")


def contents(read_at: ReadAt, size: int, limits: Limits) -> Iterator[Content]:
    """The files of an archive in its order, each whole; folders are left out.

    Nothing that was given may be used before the end is reached: only then is the archive
    known to be what it says.

    Parameters
    ----------
    read_at
        Gives bytes of the archive.
    size : int
        Of the archive, bytes.

    Raises
    ------
    ArchiveError
        With the one verdict on the archive.
    """
    faults: list[ArchiveError] = []
    for entry, start in directory(read_at, size, limits):
        try:
            data = _inflated(read_at, entry, start)
        except ArchiveError as fault:
            faults.append(fault)
            continue
        if not faults and not entry.is_folder:
            yield Content(entry.number, kind_of(entry.name, data), data)
    _raise_first(faults)


def kind_of(name: str, data: bytes) -> str:
    """Whether an entry goes the way of a file, is an archive itself, or junk of what kind.

    What says that it is DICOM goes that way whatever it is called, but for the directory of a
    disc and what a computer adds.

    >>> kind_of("a/b/readme.txt", b"Dear colleague"), kind_of("a/IM0001", b"")
    ('text file', 'file')
    """
    *folders, last = _parts(name) or [""]
    if _APPLE in folders or last.startswith("._"):
        return _APPLE
    if last.lower() in _JUNK:
        return _JUNK[last.lower()]
    if _is_dicom(data):
        return FILE
    if data[:4] in {_LOCAL, _END} or is_foreign(data) or _NESTED_NAME.search(last):
        return NESTED
    return _TEXT if _TEXT_NAME.search(last) else FILE


def directory(read_at: ReadAt, size: int, limits: Limits) -> list[tuple[Entry, int]]:
    """Every entry with where its packed bytes begin, after all that can be told unopened.

    Raises
    ------
    ArchiveError
        If anything that the archive says of itself is refused.
    """
    number, length, start = _end_record(read_at, size)
    if number > limits.entries:
        raise ArchiveError("archive-too-many")
    if length > limits.directory_bytes:
        raise ArchiveError("archive-damaged")
    entries = _entries(read_at(start, length), number)
    faults = [ArchiveError(code, entry.number) for entry in entries for code in _faults(entry)]
    faults += _faults_together(entries, size, limits)
    _raise_first(faults)
    spans, faults = [], []
    for entry in entries:
        try:
            spans.append((entry, _start_of(read_at, entry)))
        except ArchiveError as fault:
            faults.append(fault)
    _raise_first(faults)
    _require_apart(spans, start)
    return spans


def _raise_first(faults: Sequence[ArchiveError]) -> None:
    if faults:
        raise min(faults, key=lambda one: (PRECEDENCE.index(one.code), one.number))


def _end_record(read_at: ReadAt, size: int) -> tuple[int, int, int]:
    """How many entries the archive says it has, and length and place of its directory."""
    tail_at = max(0, size - _END_FORM.size - _LONGEST_COMMENT)
    tail = read_at(tail_at, size - tail_at)
    at = _place_of_end(tail)
    _, disk, disk_of_directory, here, number, length, start, _ = _END_FORM.unpack_from(tail, at)
    end = tail_at + at
    if end >= _LOCATOR64_FORM.size:
        locator = read_at(end - _LOCATOR64_FORM.size, _LOCATOR64_FORM.size)
        if locator[:4] == _LOCATOR64:
            return _end_record64(read_at, locator, end - _LOCATOR64_FORM.size)
    if disk or disk_of_directory or here != number:
        raise ArchiveError("archive-split")
    if start + length != end:
        raise ArchiveError("archive-damaged")
    return number, length, start


def _place_of_end(tail: bytes) -> int:
    """Where the end record begins whose comment ends with the archive."""
    at = len(tail)
    while (at := tail.rfind(_END, 0, at)) >= 0:
        if at + _END_FORM.size <= len(tail):
            (comment,) = struct.unpack_from("<H", tail, at + _END_FORM.size - 2)
            if at + _END_FORM.size + comment == len(tail):
                return at
    raise ArchiveError("archive-truncated")


def _end_record64(read_at: ReadAt, locator: bytes, end: int) -> tuple[int, int, int]:
    _, disk, place, disks = _LOCATOR64_FORM.unpack(locator)
    record = read_at(place, _END64_FORM.size)
    if len(record) < _END64_FORM.size or record[:4] != _END64:
        raise ArchiveError("archive-damaged")
    _, rest, _, _, this, of_directory, here, number, length, start = _END64_FORM.unpack(record)
    if disk or this or of_directory or disks > 1 or here != number:
        raise ArchiveError("archive-split")
    if place + 12 + rest != end or start + length != place:
        raise ArchiveError("archive-damaged")
    return number, length, start


def _entries(listing: bytes, number: int) -> list[Entry]:
    """The central directory, which must be exactly as long as its entries."""
    found: list[Entry] = []
    at = 0
    try:
        for place in range(1, number + 1):
            entry, at = _entry(listing, at, place)
            found.append(entry)
    except struct.error:
        raise ArchiveError("archive-damaged") from None
    if at != len(listing):
        raise ArchiveError("archive-damaged")
    return found


def _entry(listing: bytes, at: int, place: int) -> tuple[Entry, int]:
    (
        magic, _, _, flags, method, _, _, crc, packed, size,
        name_length, extra_length, comment_length, disk, _, attributes, offset,
    ) = _CENTRAL_FORM.unpack_from(listing, at)  # fmt: skip
    at += _CENTRAL_FORM.size
    name, extra = listing[at : at + name_length], listing[at + name_length :][:extra_length]
    at += name_length + extra_length + comment_length
    if magic != _CENTRAL or not name or at > len(listing):
        raise ArchiveError("archive-damaged", place)
    size, packed, offset = _in_full(extra, size, packed, offset)
    if disk:
        raise ArchiveError("archive-split")
    return Entry(
        number=place,
        # Only what ASCII says is looked at; no other byte may be mistaken for it.
        name=name.decode("utf-8" if flags & 0x800 else "latin-1", "replace"),
        flags=flags,
        method=method,
        crc=crc,
        packed=packed,
        size=size,
        offset=offset,
        attributes=attributes,
    ), at


def _in_full(extra: bytes, *fields: int) -> list[int]:
    """The lengths and the place, each from the ZIP64 field where it did not fit."""
    longer = iter(_zip64_field(extra))
    try:
        return [next(longer) if field == _IN_ZIP64 else field for field in fields]
    except StopIteration:
        raise ArchiveError("archive-damaged") from None


def _zip64_field(extra: bytes) -> list[int]:
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            whole = extra[at + 4 : at + 4 + length]
            return [number for (number,) in struct.iter_unpack("<Q", whole[: len(whole) & ~7])]
        at += 4 + length
    return []


def _faults(entry: Entry) -> Iterator[str]:
    """What one entry is refused for, by what the directory says of it."""
    if entry.flags & 0x2041 or entry.method == 99:
        yield "archive-encrypted"
    if _leads_out(entry.name):
        yield "archive-path"
    if _is_special(entry):
        yield "archive-special"
    if entry.method not in {0, 8}:
        yield "archive-compression"
    if entry.method == 0 and entry.packed != entry.size:
        yield "archive-size-differs"
    if entry.is_folder and entry.size:
        yield "archive-damaged"


def _leads_out(name: str) -> bool:
    return (
        name.startswith("/")
        or "\\" in name
        or ".." in name.split("/")
        or _DRIVE.match(name) is not None
        or _CONTROL.search(name) is not None
    )


def _is_special(entry: Entry) -> bool:
    """A kind of Unix that is neither a file nor a folder, whoever says that he packed it."""
    kind = stat.S_IFMT(entry.attributes >> 16)
    return kind not in {0, stat.S_IFREG, stat.S_IFDIR} or (
        kind == stat.S_IFDIR and not entry.is_folder
    )


def _faults_together(entries: Sequence[Entry], size: int, limits: Limits) -> Iterator[ArchiveError]:
    seen: set[tuple[str, ...]] = set()
    for entry in entries:
        path = tuple(_parts(entry.name))
        if path in seen:
            yield ArchiveError("archive-duplicate", entry.number)
        seen.add(path)
        if entry.size > limits.entry_bytes:
            yield ArchiveError("archive-entry-too-large", entry.number)
        if entry.size > max(limits.ratio * entry.packed, limits.entry_ratio_from_bytes):
            yield ArchiveError("archive-ratio", entry.number)
    total = sum(entry.size for entry in entries)
    if total > limits.total_bytes:
        yield ArchiveError("archive-too-large")
    if total > max(limits.ratio * size, limits.ratio_from_bytes):
        yield ArchiveError("archive-ratio")


def _parts(name: str) -> list[str]:
    return [part for part in name.split("/") if part not in {"", "."}]


def _start_of(read_at: ReadAt, entry: Entry) -> int:
    """Where the packed bytes begin, by the entry's own header, which must name the same."""
    header = read_at(entry.offset, _LOCAL_FORM.size)
    if len(header) < _LOCAL_FORM.size or header[:4] != _LOCAL:
        raise ArchiveError("archive-damaged", entry.number)
    _, _, flags, method, _, _, _, _, _, name_length, extra_length = _LOCAL_FORM.unpack(header)
    name = read_at(entry.offset + _LOCAL_FORM.size, name_length)
    if flags & 0x2041:
        raise ArchiveError("archive-encrypted", entry.number)
    same = name.decode("utf-8" if flags & 0x800 else "latin-1", "replace") == entry.name
    if not same or method != entry.method:
        raise ArchiveError("archive-damaged", entry.number)
    return entry.offset + _LOCAL_FORM.size + name_length + extra_length


def _require_apart(spans: Sequence[tuple[Entry, int]], end: int) -> None:
    """No byte belongs to two entries, nor to an entry and the directory."""
    taken = 0
    for entry, start in sorted(spans, key=lambda one: one[0].offset):
        if entry.offset < taken:
            raise ArchiveError("archive-overlap")
        taken = start + entry.packed
    if taken > end:
        raise ArchiveError("archive-overlap")


def _inflated(read_at: ReadAt, entry: Entry, start: int) -> bytes:
    """The bytes of an entry, no more than one beyond what it says; as many, with its sum."""
    if entry.method == 0:
        data = read_at(start, entry.size)
    else:
        data = _inflated_deflate(read_at, entry, start)
    if len(data) != entry.size:
        raise ArchiveError("archive-size-differs", entry.number)
    if zlib.crc32(data) != entry.crc:
        raise ArchiveError("archive-damaged", entry.number)
    return data


def _inflated_deflate(read_at: ReadAt, entry: Entry, start: int) -> bytes:
    engine, made, length = zlib.decompressobj(-zlib.MAX_WBITS), [], 0
    at, end, packed = start, start + entry.packed, b""
    try:
        while not engine.eof and length <= entry.size:
            packed = engine.unconsumed_tail or read_at(at, min(_READ_BYTES, end - at))
            at += 0 if engine.unconsumed_tail else len(packed)
            if not packed:
                break
            made.append(engine.decompress(packed, entry.size + 1 - length))
            length += len(made[-1])
    except zlib.error:
        raise ArchiveError("archive-damaged", entry.number) from None
    if length > entry.size:
        raise ArchiveError("archive-size-differs", entry.number)
    if not engine.eof or engine.unused_data or at != end:
        raise ArchiveError("archive-damaged", entry.number)
    return b"".join(made)


def _is_dicom(data: bytes) -> bool:
    return data[_DICM_AT : _DICM_AT + 4] == b"DICM"
