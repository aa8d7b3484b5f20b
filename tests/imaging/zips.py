"""Archives made by hand, so that each field can say what is not so."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

FILE, FOLDER, LINK, DEVICE, PIPE = 0o100644, 0o040755, 0o120777, 0o020644, 0o010644


@dataclass(frozen=True)
class Member:
    """One entry as it is to be written; what is None is told as it is."""

    name: str
    data: bytes = b""
    method: int = 8
    flags: int = 0
    mode: int = FILE
    size: int | None = None
    crc: int | None = None
    local_name: str | None = None
    # Where it says that it lies, among what others brought; then it is not written itself.
    at: int | None = None
    is_zip64: bool = False
    # The data are deflated already; `size` says what they become.
    is_packed: bool = False

    @property
    def packed(self) -> bytes:
        return deflated(self.data) if self.method == 8 and not self.is_packed else self.data

    @property
    def told(self) -> tuple[int, int, int]:
        """Sum, packed and full length as the archive tells them."""
        crc = zlib.crc32(self.data) if self.crc is None else self.crc
        return crc, len(self.packed), len(self.data) if self.size is None else self.size


@cache
def deflated(data: bytes) -> bytes:
    engine = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return engine.compress(data) + engine.flush()


def archive(
    members: Sequence[Member], *, count: int | None = None, comment: bytes = b"", is_64=False
) -> bytes:
    """A zip of these members; `count` is how many its end record says there are."""
    body, listing = bytearray(), bytearray()
    for member in members:
        listing += _central(member, len(body) if member.at is None else member.at)
        body += local(member) + member.packed if member.at is None else b""
    number = len(members) if count is None else count
    end = _end64(number, len(listing), len(body)) if is_64 else b""
    return bytes(body + listing) + end + _end(number, len(listing), len(body), comment, is_64)


def shuffled(members: Sequence[Member]) -> list[list[Member]]:
    """The same members, each of them once the first; who lies in another keeps its place."""
    if any(member.at is not None for member in members):
        return [list(members)]
    return [list(members[at:]) + list(members[:at]) for at in range(len(members))]


def local(member: Member) -> bytes:
    name = (member.local_name or member.name).encode()
    crc, packed, size = member.told
    flags = member.flags | 0x800
    head = struct.pack(
        "<4s5H3I2H", b"PK\3\4", 20, flags, member.method, 0, 33, crc, packed, size, len(name), 0
    )
    return head + name


def _central(member: Member, place: int) -> bytes:
    name, (crc, packed, size) = member.name.encode(), member.told
    extra = b""
    if member.is_zip64:
        extra = struct.pack("<2H3Q", 1, 24, size, packed, place)
        size = packed = place = 2**32 - 1
    return (
        struct.pack(
            "<4s6H3I5H2I", b"PK\1\2", 3 << 8 | 20, 20, member.flags | 0x800, member.method, 0, 33,
            crc, packed, size, len(name), len(extra), 0, 0, 0, member.mode << 16, place,
        )
        + name
        + extra
    )  # fmt: skip


def _end(number: int, length: int, start: int, comment: bytes, is_64: bool) -> bytes:
    if is_64:
        number, length, start = 2**16 - 1, 2**32 - 1, 2**32 - 1
    count = min(number, 2**16 - 1)
    return struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, length, start, len(comment)) + (
        comment
    )


def _end64(number: int, length: int, start: int) -> bytes:
    record = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, number, number, length, start)
    return record + struct.pack("<4sIQI", b"PK\6\7", 0, start + length, 1)


def _image(number: int) -> bytes:
    """As good as a DICOM file for whoever does not parse it."""
    return bytes(128) + b"DICM" + zlib.compress(bytes([number]) * 50) * 40


def _one_within_another() -> list[Member]:
    """The kernel of a bomb of overlaps: what one entry holds is another one, whole."""
    inner = Member("scan/inner", b"inner" * 9)
    outer = Member("scan/outer", local(inner) + inner.packed, method=0)
    return [outer, replace(inner, at=len(local(outer)))]


IMAGES = [Member(f"scan/IM{n:04}", _image(n)) for n in (1, 2, 3)]

# What each threat of the catalogue looks like, and the one verdict on it.
HOSTILE: dict[str, tuple[str, list[Member]]] = {
    "T1 leads out": ("archive-path", [*IMAGES, Member("scan/../../../etc/cron.d/x", b"x")]),
    "T1 absolute": ("archive-path", [*IMAGES, Member("/etc/cron.d/x", b"x")]),
    "T1 drive": ("archive-path", [*IMAGES, Member("C:/windows/x", b"x")]),
    "T1 backslash": ("archive-path", [*IMAGES, Member("..\\..\\x", b"x")]),
    "T1 control character": ("archive-path", [*IMAGES, Member("a\nb", b"x")]),
    "T2 link": ("archive-special", [*IMAGES, Member("scan/link", b"/etc/passwd", mode=LINK)]),
    "T2 device": ("archive-special", [*IMAGES, Member("scan/null", mode=DEVICE)]),
    "T2 pipe": ("archive-special", [*IMAGES, Member("scan/pipe", mode=PIPE)]),
    "T3 flat bomb": (
        "archive-entry-too-large",
        [*IMAGES, Member("bomb", bytes(65 * 2**20))],
    ),
    "T3 bomb of allowed size": ("archive-ratio", [*IMAGES, Member("bomb", bytes(60 * 2**20))]),
    "T3 bomb of small entries": (
        "archive-ratio",
        [Member(f"scan/{n}", bytes(2**20)) for n in range(20)],
    ),
    "T3 entries over one another": ("archive-overlap", _one_within_another()),
    "T4 longer than told": (
        "archive-size-differs",
        [*IMAGES, Member("scan/IM9", bytes(range(256)) * 99, size=10)],
    ),
    "T4 shorter than told": (
        "archive-size-differs",
        [*IMAGES, Member("scan/IM9", b"short", size=900)],
    ),
    "T4 stored, longer than told": (
        "archive-size-differs",
        [*IMAGES, Member("scan/IM9", b"long", method=0, size=2)],
    ),
    "T4 other sum": ("archive-damaged", [*IMAGES, Member("scan/IM9", b"abc", crc=1)]),
    "T7 same path twice": ("archive-duplicate", [*IMAGES, replace(IMAGES[0], data=b"other")]),
    "T7 same path spelt otherwise": (
        "archive-duplicate",
        [*IMAGES, Member("./scan//IM0001", b"other")],
    ),
    "encrypted": ("archive-encrypted", [*IMAGES, Member("scan/IM9", b"x", flags=1)]),
    "strange compression": ("archive-compression", [*IMAGES, Member("scan/IM9", b"x", method=14)]),
    "two names": ("archive-damaged", [*IMAGES, Member("scan/IM9", b"x", local_name="scan/IM8")]),
}
