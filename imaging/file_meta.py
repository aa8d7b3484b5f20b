"""What the file meta information of a DICOM file says of it (PS3.10, group 0002).

Read from the first bytes alone, without a parser and before anything else is looked at: a
sender must be told which image was kept, and only this group says so within known bounds. It
is always Explicit VR Little Endian. Everything behind it is read in the parsing process.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

PREAMBLE = 128
MARK = b"DICM"
LONGEST = 2**16
# So much of a file is enough.
HEAD = PREAMBLE + len(MARK) + LONGEST

_GROUP = 0x0002
_SOP_CLASS, _SOP_INSTANCE, _TRANSFER_SYNTAX = 0x0002, 0x0003, 0x0010
# These have a length of four bytes; the VRs of this group, and those a sender may add.
_LONG = frozenset({b"OB", b"OW", b"UN", b"UT", b"SQ", b"OD", b"OF", b"OL", b"OV", b"UC", b"UR"})
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
LONGEST_UID = 64


class FileMetaError(ValueError):
    """Bytes that are no DICOM file, or one that does not say what it is; `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class FileMeta:
    """Media Storage SOP Class UID (0002,0002), SOP Instance UID (0002,0003), Transfer Syntax."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str


def file_meta(head: bytes) -> FileMeta:
    """What a file is, from its first bytes.

    Parameters
    ----------
    head : bytes
        The first `HEAD` bytes of the file, or all of it where it is shorter.

    Raises
    ------
    FileMetaError
        `not-dicom` without the letters DICM; `not-readable` where the group is cut off or
        longer than 64 KB; `no-identity` where a UID is missing or none.
    """
    if head[PREAMBLE : PREAMBLE + 4] != MARK:
        raise FileMetaError(
            "not-dicom", "This is no DICOM file: the letters DICM are missing after the preamble."
        )
    try:
        found = _elements(head[:HEAD])
    except struct.error as error:
        raise FileMetaError(
            "not-readable",
            f"The file meta information is cut off, or longer than {LONGEST:,} bytes.",
        ) from error
    return FileMeta(
        _uid(found, _SOP_CLASS, "Media Storage SOP Class UID (0002,0002)"),
        _uid(found, _SOP_INSTANCE, "Media Storage SOP Instance UID (0002,0003)"),
        _uid(found, _TRANSFER_SYNTAX, "Transfer Syntax UID (0002,0010)"),
    )


def _elements(head: bytes) -> dict[int, bytes]:
    """The three values that count; struct.error where an element does not end within `head`."""
    found: dict[int, bytes] = {}
    at = PREAMBLE + len(MARK)
    # The group ends where another begins, or with the file.
    while at < len(head):
        group, number = struct.unpack_from("<HH", head, at)
        if group != _GROUP:
            break
        if head[at + 4 : at + 6] in _LONG:
            length, start = struct.unpack_from("<I", head, at + 8)[0], at + 12
        else:
            length, start = struct.unpack_from("<H", head, at + 6)[0], at + 8
        if start + length > len(head):
            raise struct.error
        if number in {_SOP_CLASS, _SOP_INSTANCE, _TRANSFER_SYNTAX}:
            found[number] = head[start : start + length]
        at = start + length
    return found


def _uid(found: dict[int, bytes], number: int, name: str) -> str:
    text = found.get(number, b"").decode("latin-1").rstrip("\0 ")
    if not _UID.fullmatch(text) or len(text) > LONGEST_UID:
        raise FileMetaError("no-identity", f"{name} is missing or no UID.")
    return text
