"""What the elements of a data set mean, worked out once for the same bytes.

The slices of a series repeat each other but for a few values, and to convert a value costs a
hundred times as much as to find again what was made of it. So what is made of an element as it
was read is remembered by all that it rests on: who asks, the element's tag, VR, encoding and
bytes, those of everything within it, and the character set. What was not remembered is made as
ever, by pydicom, from the data set: with a memory or without one the answer is the same.

The mistake to fear is a memory that leaves out something that an answer rests on. So elements
whose VR depends on others, private or ambiguous, are never remembered, nor are any that were
converted or changed since they were read; and an answer is made of what can't be changed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from operator import itemgetter
from typing import Any, TypeVar, cast

from pydicom.datadict import DicomDictionary, keyword_dict, keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset

T = TypeVar("T")
CHARACTER_SET = 0x00080005
# A value of more bytes is not remembered, nor a sequence of more elements; and as many elements
# are, in all answers together: 50 MB of the longest there are, 8 MB of a scanner's.
LONGEST, MOST_WITHIN, MOST = 1024, 256, 2**14

# Of an element as it was read: VR, length, bytes, and how these are encoded.
_WHAT = itemgetter(1, 2, 3, 5, 6)
# In the dictionary, and of one VR: what they mean does not depend on other elements.
_ALONE = frozenset(tag for tag, (kind, *_) in DicomDictionary.items() if " or " not in kind)


class Memory:
    """Answers by all that they rest on; when there are too many, all are forgotten."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self.size = 0
        self._known: dict[Hashable, Any] = {}

    def recall(self, key: Hashable, size: int, make: Callable[[], T]) -> T:
        """What is known under `key`, else what `make` makes, which rests on `size` elements."""
        if key in self._known:
            return cast(T, self._known[key])
        made = make()
        if self.size + size > self.most:
            self.forget()
        if size <= self.most:
            self._known[key] = made
            self.size += size
        return made

    def forget(self) -> None:
        self._known.clear()
        self.size = 0


_AS_READ = "_as_read"


def note_as_read(ds: Dataset, elements: Mapping[int, RawDataElement | DataElement]) -> None:
    """Say that `ds` was read of these, and will not be changed."""
    # Past pydicom, which would look for an attribute of this name.
    ds.__dict__[_AS_READ] = elements


def as_read(ds: Dataset) -> Mapping[int, RawDataElement | DataElement]:
    """The elements of `ds` by plain numbers, unconverted where they were noted or still are."""
    noted = ds.__dict__.get(_AS_READ)
    return noted if noted is not None else {int(tag): element for tag, element in ds.items()}


# Of this process, which serves one transmittal; and one that keeps nothing.
MEMORY, NO_MEMORY = Memory(), Memory(0)


class Elements:
    """The elements of a data set by plain numbers, which pydicom's tags are slow to be."""

    def __init__(self, ds: Dataset, memory: Memory = MEMORY) -> None:
        self.ds = ds
        self._memory = memory
        self._found = as_read(ds)
        self._charset = _charset(ds)

    def __contains__(self, tag: int) -> bool:
        return tag in self._found

    def __iter__(self) -> Iterator[int]:
        return iter(self._found)

    def element(self, tag: int) -> RawDataElement | DataElement:
        """As it stands, converted or not."""
        return self._found[tag]

    def tell(
        self,
        tag: int,
        make: Callable[..., T],
        *args: Hashable,
    ) -> T:
        """`make(ds, tag, *args)`, which looks at no other element, as remembered.

        Its answer must not be one that can be changed.
        """
        known = self.likeness(tag) if self._memory.most else None
        if known is None:
            return make(self.ds, tag, *args)
        key = (make, tag, args, self._charset, known[0])
        return self._memory.recall(key, known[1], lambda: make(self.ds, tag, *args))

    def tell_of_both(
        self,
        tag: int,
        other: Elements,
        its_tag: int,
        make: Callable[..., T],
        *args: Hashable,
    ) -> T:
        """`make(ds, tag, other.ds, its_tag, *args)`, which looks at these two elements alone."""

        def made() -> T:
            return make(self.ds, tag, other.ds, its_tag, *args)

        mine, its = self.likeness(tag), other.likeness(its_tag)
        if mine is None or its is None:
            return made()
        key = (make, tag, args, self._charset, mine[0], its_tag, other._charset, its[0])
        return self._memory.recall(key, mine[1] + its[1], made)

    def read(self, keyword: str, read: Callable[[Dataset, str], T]) -> T:
        """`read(ds, keyword)`, as `tell` has it; also of an attribute that is missing."""
        return self.tell(keyword_dict[keyword], _by_keyword, read)

    def likeness(self, tag: int) -> tuple[Hashable, int] | None:
        """All that the meaning of an element rests on, and of how many elements that is."""
        if tag not in _ALONE or not self._charset or (found := self._found.get(tag)) is None:
            return None
        if isinstance(found, RawDataElement):
            value = found[3]
            return (_WHAT(found), 1) if value is None or len(value) <= LONGEST else None
        within: list[Hashable] = []
        return (tuple(within), len(within)) if _walk(found, within) else None


def _by_keyword(ds: Dataset, tag: int, read: Callable[[Dataset, str], T]) -> T:
    return read(ds, keyword_for_tag(tag))


def _charset(ds: Dataset) -> str:
    """By which the texts of a data set are read; nothing where it does not say."""
    known = ds.original_character_set
    return known if isinstance(known, str) else "\\".join(known)


def _walk(element: RawDataElement | DataElement, within: list[Hashable]) -> bool:
    """Add an element as it was read, and what lies within it; False if that can't be told."""
    if len(within) >= MOST_WITHIN:
        return False
    if isinstance(element, RawDataElement):
        within.append((int(element.tag), *_WHAT(element)))
        return element.value is None or len(element.value) <= LONGEST
    if element.tag == CHARACTER_SET:
        within.append(str(element.value))
        return True
    if element.VR != "SQ" or not element.is_undefined_length:
        return False
    within.append((int(element.tag), len(element.value)))
    return all(_walk_item(item, within) for item in element.value)


def _walk_item(item: Dataset, within: list[Hashable]) -> bool:
    within.append((len(item), _charset(item)))
    return all(_walk(element, within) for element in item.values())
