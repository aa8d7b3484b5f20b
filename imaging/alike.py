"""Images that are made as an earlier one was, but for the few values in which they differ.

The slices of a series differ in a dozen values, and what becomes of all others was decided, written
and proved with an earlier slice. Here the bytes of a file are held against those of such a slice:
between the values that may differ they must be the same, byte for byte. What these values alone
decide is then decided by the rules that decide it for any image, and all else is as it was. What
is written is searched for identifiers whole, read again, and its pixel values are compared and
digested, image by image.

The mistake to fear is a value that something rests on which is taken as it was. So only what rests
on no other element may differ (`_may_vary`); a pattern is used only if what it makes of the very
image that it was learnt of is what was made of it, to the last byte; and whatever is not wholly as
described is given back: it is made as any image is.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import numpy as np
from pydicom.datadict import dictionary_VR, keyword_dict, keyword_for_tag
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32

from imaging import acceptance, deidentification, file_evidence, headers, identifiers, identity
from imaging.deidentification import DeidentificationPolicy
from imaging.elements import PIXEL_DATA, longest
from imaging.encoding import raw
from imaging.identifiers import Identifiers
from imaging.meanings import CHARACTER_SET, Elements, note_as_read
from imaging.pixels import FORM
from imaging.plain_files import all_elements

Json = dict[str, Any]
# What is said of an image, and the image as it was written anew.
Answer = tuple[Json, bytes]

SOP_INSTANCE, META_INSTANCE, META_LENGTH = 0x00080018, 0x00020003, 0x00020000
# Patterns at a time, values that may differ in one, bytes of a header, and how often one is learnt.
MOST, MOST_VARYING, LONGEST_HEADER, MOST_TRIES = 4, 64, 2**18, 8
MOST_LESSONS = 2 * MOST_TRIES
_SHORT, _LONG = struct.Struct("<H"), struct.Struct("<I")
# Other elements decide about these, or are decided about by them.
_CONSULTED = frozenset(
    keyword_dict[keyword]
    for keyword in (
        *acceptance.CONSULTED,
        *identity.CONSULTED,
        *FORM,
        "PhotometricInterpretation",
        "SpecificCharacterSet",
        "StudyDate",
        "PatientAge",
    )
) - {SOP_INSTANCE}
_PRIVATE_GROUPS = headers.PRIVATE_GROUPS | {group for group, _ in deidentification.PRIVATE}


class Layout:
    """Where in a plain file the values lie that may differ, and the bytes between them."""

    def __init__(
        self, data: bytes, elements: Mapping[int, RawDataElement], varying: frozenset[int]
    ) -> None:
        self._varying: list[tuple[bytes, int, str, struct.Struct]] = []
        end = 0
        for tag, element in elements.items():
            if tag in varying:
                size = _LONG if element.VR in EXPLICIT_VR_LENGTH_32 else _SHORT
                run = data[end : element.value_tell - size.size]
                self._varying.append((run, tag, str(element.VR), size))
                end = element.value_tell + element.length
        # Up to the length of the pixel values, and with it.
        self._last = data[end : elements[PIXEL_DATA].value_tell]
        self._pixel_bytes = elements[PIXEL_DATA].length

    def read(self, data: bytes) -> tuple[dict[int, RawDataElement], int] | None:
        """The values that may differ, and where pixel values begin; None of another layout."""
        at, found = 0, dict[int, RawDataElement]()
        for run, tag, kind, size in self._varying:
            if not data.startswith(run, at):
                return None
            at += len(run)
            head = data[at : at + size.size]
            if len(head) != size.size:
                return None
            (length,) = size.unpack(head)
            at += size.size
            value = data[at : at + length]
            if not 0 < length <= longest(kind.encode()) or len(value) != length:
                return None
            found[tag] = RawDataElement(_tag(tag), kind, length, value, at, False, True)
            at += length
        if not data.startswith(self._last, at):
            return None
        at += len(self._last)
        return (found, at) if len(data) - at == self._pixel_bytes else None

    def filled(self, values: Mapping[int, bytes], pixels: bytes) -> bytes:
        """A file of this layout."""
        parts: list[bytes] = []
        for run, tag, _, size in self._varying:
            value = values[tag]
            parts += (run, size.pack(len(value)), value)
        return b"".join((*parts, self._last, pixels))


@dataclass(frozen=True, slots=True)
class _Known:
    """What was made of an image, and all that it rests on."""

    policy: DeidentificationPolicy
    told: Json
    written: bytes
    known: Identifiers
    charset: str | list[str]


class Pattern:
    """How images are made that differ from one in some values alone."""

    def __init__(self, data: bytes, image: Dataset, known: _Known, varying: frozenset[int]) -> None:
        before, after = all_elements(data), all_elements(known.written)
        if before is None or after is None:
            raise ValueError("not plain")
        self._known, self._made = known, known.told["made"]
        self._tags = [tag for tag in sorted(varying) if tag >> 16 != 2]
        self._original = Layout(data, before, varying)
        length = _LONG.unpack(after[META_LENGTH].value or b"")[0]
        self._rest_of_meta = length - after[META_INSTANCE].length
        self._names = {tag: keyword_for_tag(tag) for tag in self._tags}
        self._rules = {
            tag: deidentification.IMAGE[name]
            for tag, name in self._names.items()
            if name in deidentification.IMAGE
        }
        self._modality = str(self._made["header"]["modality"])
        self._became = {tag: self._becomes(image, tag) for tag in self._rules}
        places = frozenset(tag for tag, now in self._became.items() if now.written)
        if SOP_INSTANCE in varying:
            places |= {META_INSTANCE, META_LENGTH}
        self._written = Layout(known.written, after, places)
        self._uids = frozenset(identifiers.identifiers_of(self._without(image, varying)).uids)

    def made(self, data: bytes) -> Answer | None:
        """What is made of a file, if it differs from the one before in those values alone."""
        read = self._original.read(data)
        if read is None:
            return None
        found, start = read
        pixels = data[start:]
        small = self._small(found)
        values = self._values(found, small)
        if values is None or not self._is_whole(pixels):
            return None
        written = self._written.filled(values, pixels)
        again = self._written.read(written)
        if again is None or self._is_named_in(written, again[1], pixels, small):
            return None
        evidence = self._evidence(small, self._small(again[0]), pixels, written, again[1])
        return None if evidence is None else (self._told(found, start, evidence, again[1]), written)

    def _small(self, found: Mapping[int, RawDataElement]) -> Dataset:
        """Of a file the values that may differ."""
        return _data_set(
            {tag: found[tag] for tag in self._tags if tag in found}, self._known.charset
        )

    def _without(self, image: Dataset, varying: frozenset[int]) -> Dataset:
        elements = Elements(image)
        kept = {tag: elements.element(tag) for tag in elements if tag not in varying}
        return _data_set(kept, self._known.charset)

    def _becomes(self, ds: Dataset, tag: int) -> deidentification.Decision:
        known, name = self._known, self._names[tag]
        return deidentification.decided(ds, tag, self._rules[tag], known.policy, known.known, name)

    def _values(
        self, found: Mapping[int, RawDataElement], small: Dataset
    ) -> dict[int, bytes] | None:
        """What is to be written of the values that may differ; None if it is of another kind."""
        values: dict[int, bytes] = {}
        for tag, before in self._became.items():
            now = self._becomes(small, tag)
            is_alike = (now.kept, now.replaced) == (before.kept, before.replaced)
            if not is_alike or (now.written is None) != (before.written is None):
                return None
            if now.written is not None and before.written is not None:
                if now.written.VR != before.written.VR or not now.written.value:
                    return None
                values[tag] = now.written.value
        if SOP_INSTANCE in found:
            # One that the envelope contradicts, or that is none, is refused: not here.
            uid = found[SOP_INSTANCE].value or b""
            if found.get(META_INSTANCE) is None or found[META_INSTANCE].value != uid:
                return None
            if not acceptance.is_uid(uid.decode("latin-1").removesuffix("\0")):
                return None
            values[META_INSTANCE] = values[SOP_INSTANCE]
            length = self._rest_of_meta + len(values[SOP_INSTANCE])
            values[META_LENGTH] = _LONG.pack(length)
        return values

    def _is_whole(self, pixels: bytes) -> bool:
        """Whether pixel values are one plane without a bit above their high bit."""
        header = self._made["header"]
        allocated, stored = header["bits_allocated"], header["bits_stored"]
        if len(pixels) != header["rows"] * header["columns"] * allocated // 8:
            return False
        if allocated == stored:
            return True
        signed = header["pixel_representation"]
        values = self._plane(pixels)
        low, high = (-(1 << stored - 1), 1 << stored - 1) if signed else (0, 1 << stored)
        return bool(values.min() >= low and values.max() < high)

    def _plane(self, pixels: bytes) -> np.ndarray:
        header = self._made["header"]
        kind = f"<{'ui'[header['pixel_representation']]}{header['bits_allocated'] // 8}"
        return np.frombuffer(pixels, kind).reshape(header["rows"], header["columns"])

    def _is_named_in(self, written: bytes, at: int, pixels: bytes, small: Dataset) -> bool:
        """Whether the search for identifiers, of all that was written, finds any."""
        mine = identifiers.identifiers_of(small)
        known, policy = self._known.known, self._known.policy
        sought = Identifiers(known.values, known.words, self._uids | mine.uids)
        return bool(mine.values) or identifiers.residue(
            written[:at], pixels, sought, ours=deidentification.written_on_purpose(policy)
        )

    def _evidence(
        self, small: Dataset, again: Dataset, pixels: bytes, written: bytes, at: int
    ) -> Json | None:
        """What proves it, of the values that may differ and of the pixel values."""
        days = self._known.policy.date_shift_days
        before = headers.fields_at(small, self._modality)
        after = headers.fields_at(again, self._modality)
        is_proved = (
            before is not None
            and after is not None
            and written.startswith(pixels, at)
            and not file_evidence.unmoved(small, again, days)
            and not file_evidence.foreign_uids(again)
        )
        if not is_proved:
            return None
        digest = file_evidence.digest_of(self._plane(pixels))
        told = self._made["evidence"]
        return told | {
            "pixels_before": digest,
            "pixels_after": digest,
            "before": told["before"] | before,
            "after": told["after"] | after,
        }

    def _told(
        self, found: Mapping[int, RawDataElement], start: int, evidence: Json, at: int
    ) -> Json:
        told, (_, length, _) = self._known.told, self._made["taken"]
        facts = told["facts"]
        if SOP_INSTANCE in found:
            facts = facts | {"sop_instance_uid": evidence["before"]["sop_instance_uid"]}
        made = self._made | {
            "header": evidence["after"],
            "taken": (start, length, at),
            "evidence": evidence,
            "pixels": [at, length],
        }
        return told | {"facts": facts, "made": made}


class Patterns:
    """The patterns that were learnt of the images of one transmittal."""

    def __init__(self) -> None:
        self._learnt: list[_Learnt] = []
        self._lessons = 0

    @property
    def is_learning(self) -> bool:
        """Whether to make an image only to learn of it may pay: it never did if it has not yet."""
        return self._lessons < MOST_LESSONS

    def made(self, data: bytes, policy: DeidentificationPolicy) -> Answer | None:
        """What is made of a file by a pattern; None where none fits."""
        for number, one in enumerate(self._learnt):
            if one.pattern is None or one.policy != policy:
                continue
            made = one.pattern.made(data)
            if made is not None:
                self._learnt.insert(0, self._learnt.pop(number))
                return made
        return None

    def learn(
        self, data: bytes, image: Dataset, policy: DeidentificationPolicy, made: Answer
    ) -> None:
        """Learn of an image that was made as any, for those that resemble it."""
        self._lessons += 1
        elements = all_elements(data)
        told = made[0].get("made")
        if elements is None or not told or not _is_ordinary(data, image, elements, told):
            return
        shape = tuple((tag, element.VR) for tag, element in elements.items())
        values = {tag: one.value for tag, one in elements.items() if tag != PIXEL_DATA}
        earlier = next((o for o in self._learnt if (o.policy, o.shape) == (policy, shape)), None)
        one = earlier or _Learnt(policy, shape, values)
        if earlier is None:
            self._learnt = [one, *self._learnt[: MOST - 1]]
            return
        one.tries += 1
        one.varying |= {tag for tag, value in values.items() if value != one.values[tag]}
        can_vary = all(_may_vary(tag, elements[tag]) for tag in one.varying)
        if one.tries > MOST_TRIES or len(one.varying) > MOST_VARYING or not can_vary:
            one.pattern = None
            return
        charset = cast("str | list[str]", image.original_character_set)
        known = _Known(policy, *made, identifiers.identifiers_of(image), charset)
        pattern = Pattern(data, image, known, frozenset(one.varying))
        one.pattern = pattern if pattern.made(data) == made else None


class _Learnt:
    """An image that was made, in what others differ from it, and how those are made."""

    def __init__(
        self,
        policy: DeidentificationPolicy,
        shape: Sequence[tuple[int, str | None]],
        values: Mapping[int, bytes | None],
    ) -> None:
        self.policy, self.shape, self.values = policy, shape, values
        self.varying: set[int] = set()
        self.tries = 0
        self.pattern: Pattern | None = None


def _is_ordinary(
    data: bytes, image: Dataset, elements: Mapping[int, RawDataElement], told: Json
) -> bool:
    """Whether it is a slice whose pixel values, at its end, stayed as they lay; all is proved."""
    evidence, last = told["evidence"], elements.get(PIXEL_DATA)
    return (
        told["header"]["modality"] in headers.SLICES
        and told["taken"] is not None
        and not (evidence["beyond"] or evidence["unmoved"])
        and evidence["pixels_before"] == evidence["pixels_after"]
        and not (told["header"]["unreadable"] or evidence["before"]["unreadable"])
        and last is not None
        and last.value_tell + last.length == len(data)
        and last.value_tell <= LONGEST_HEADER
        and tuple(told["taken"]) == (last.value_tell, last.length, told["pixels"][0])
        and isinstance(image.original_character_set, (str, list))
    )


def _may_vary(tag: int, element: RawDataElement) -> bool:
    """Whether nothing but what is worked out anew can rest on the value of an element."""
    if tag in {META_INSTANCE, META_LENGTH}:
        return True
    group, number = tag >> 16, tag & 0xFFFF
    if group <= 2 or element.VR == "SQ" or not element.length or tag == CHARACTER_SET:
        return False
    if group % 2:
        return number > 0xFF and group not in _PRIVATE_GROUPS
    keyword = keyword_for_tag(tag)
    if not keyword or tag in _CONSULTED or identifiers.names_somebody(tag):
        return False
    rule = deidentification.IMAGE.get(keyword)
    if rule is not None:
        is_of_one = rule in deidentification.RULES_OF_ONE and element.VR in _OF_ONE
        return is_of_one and dictionary_VR(tag) == element.VR
    return True


# VRs that no other element decides about.
_OF_ONE = frozenset({"DS", "IS", "TM", "DA", "DT", "UI", "US", "UL", "FD", "FL"})


def _data_set(elements: Mapping[int, Any], charset: str | list[str]) -> Dataset:
    ds = Dataset({_tag(tag): element for tag, element in elements.items()})
    ds.set_original_encoding(
        is_implicit_vr=False, is_little_endian=True, character_encoding=charset
    )
    note_as_read(ds, dict(elements))
    return ds


@lru_cache(4096)
def _tag(number: int) -> BaseTag:
    return raw(number, "UN", b"").tag
