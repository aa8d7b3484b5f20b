"""Media types as HTTP and DICOMweb write them, and which of those on offer is wanted.

RFC 9110 12.5.1 with what PS3.18 8.7 adds: the type of the parts of a `multipart/related` is a
parameter, and so is their transfer syntax.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

LONGEST = 4096


@dataclass(frozen=True, slots=True)
class MediaType:
    """A type in lower case, as "multipart/related", and its parameters."""

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def quality(self) -> float:
        try:
            return min(1.0, max(0.0, float(self.parameters.get("q", "1"))))
        except ValueError:
            return 0.0

    @property
    def of_parts(self) -> str:
        """The type of the parts of a multipart."""
        return self.parameters.get("type", "").lower()


def media_type(text: str) -> MediaType:
    """One media type with its parameters; what is no parameter is left out.

    >>> media_type('Multipart/Related; type="application/dicom"; boundary=a').of_parts
    'application/dicom'
    """
    name, *rest = _split(text[:LONGEST], ";")
    pairs = (part.partition("=") for part in rest)
    parameters = {key.strip().lower(): _plain(value) for key, mark, value in pairs if mark}
    return MediaType(name.strip().lower(), parameters)


def accepted(text: str) -> list[MediaType]:
    """The media types of an Accept header, best first; everything where it says nothing.

    >>> [one.name for one in accepted("image/png;q=0.5, image/jpeg")]
    ['image/jpeg', 'image/png']
    """
    found = [media_type(part) for part in _split(text[:LONGEST], ",") if part.strip()]
    wanted = [one for one in found or [MediaType("*/*")] if one.quality > 0]
    return sorted(wanted, key=lambda one: -one.quality)


def chosen(text: str, offered: Sequence[MediaType]) -> MediaType | None:
    """The first of what is offered that the best of what is accepted matches, or None.

    >>> offers = [MediaType("image/jpeg"), MediaType("image/png")]
    >>> chosen("image/png", offers).name, chosen("image/*", offers).name
    ('image/png', 'image/jpeg')
    >>> chosen("text/html", offers) is None
    True
    """
    for wanted in accepted(text):
        for offer in offered:
            if _matches(wanted, offer):
                return offer
    return None


def _matches(wanted: MediaType, offer: MediaType) -> bool:
    if not _covers(wanted.name, offer.name):
        return False
    if wanted.of_parts and not _covers(wanted.of_parts, offer.of_parts):
        return False
    syntax = wanted.parameters.get("transfer-syntax", "*")
    return syntax in {"*", offer.parameters.get("transfer-syntax", syntax)}


def _covers(pattern: str, name: str) -> bool:
    if pattern == "*/*":
        return True
    kind, mark, rest = pattern.partition("/")
    if mark and rest in {"*", ""}:
        return name.startswith(f"{kind}/")
    return pattern == name


def _split(text: str, mark: str) -> list[str]:
    """Parted at a mark that stands outside quotes."""
    found, start, is_quoted = [], 0, False
    for at, char in enumerate(text):
        if char == '"':
            is_quoted = not is_quoted
        elif char == mark and not is_quoted:
            found.append(text[start:at])
            start = at + 1
    return [*found, text[start:]]


def _plain(value: str) -> str:
    return value.strip().strip('"')
