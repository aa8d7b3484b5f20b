"""The datasets of a submission as define.xml describes them, of whichever standard they are.

Source: CDISC Define-XML 2.1. Methods and comments are words; the same words are one definition.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Study:
    """Of which study the file is, and which export of it; `as_of` has a zone.

    Identifiers of the study and its metadata are those that Dataset-JSON refers to.
    """

    name: str
    description: str
    protocol: str
    export: int
    as_of: datetime
    software: str


@dataclass(frozen=True, slots=True)
class Standard:
    """A standard that the datasets or their terms keep to: `kind` is IG or CT.

    `publishing_set` is that of terminology: SDTM or ADaM.
    """

    key: str
    name: str
    kind: str
    version: str
    publishing_set: str = ""


SDTMIG = Standard("SDTMIG", "SDTMIG", "IG", "3.4")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where values come from; `text` names the source of a Predecessor, as in DM.SEX.

    `type` is Collected, Derived, Assigned, Protocol, Predecessor or Not Available; `source` is
    Investigator, Sponsor, Subject or Vendor, or nothing.
    """

    type: str
    source: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Term:
    """A value of a list: what it stands for, and its code in NCI's thesaurus, if it has one."""

    value: str
    decode: str = ""
    code: str = ""
    is_extended: bool = False


@dataclass(frozen=True, slots=True)
class Codelist:
    """The values that a variable takes. One of a `dictionary` is kept elsewhere: ISO 3166, MedDRA.

    `standard` is the key of the terminology that it is of; a list of our own has none.
    """

    key: str
    name: str
    terms: tuple[Term, ...] = ()
    code: str = ""
    standard: str = ""
    comment: str = ""
    dictionary: str = ""
    dictionary_version: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """A variable, or what it is where a condition holds.

    `type` is one of ODM: text, integer, float, date, datetime, partialDate, partialDatetime,
    durationDatetime. Dates have no length; `decimals` is of a float alone.
    """

    name: str
    label: str
    type: str
    length: int | None = None
    decimals: int | None = None
    origins: tuple[Origin, ...] = ()
    codelist: Codelist | None = None
    method: str = ""
    comment: str = ""
    is_mandatory: bool = False
    role: str = ""
    display_format: str = ""
    values: tuple[ValueLevel, ...] = ()


@dataclass(frozen=True, slots=True)
class ValueLevel:
    """What a variable is in the rows where others of its dataset have these values.

    `key` tells it from the others of the variable; `where` pairs a variable with its value.
    """

    key: str
    where: tuple[tuple[str, str], ...]
    item: Item


@dataclass(frozen=True, slots=True)
class Table:
    """A dataset: `klass` in the capitals of Define-XML, `keys` in the order in which it is sorted.

    `domain` is that of the parent where the dataset supplements another. `href` is its file, beside
    define.xml. `standard` is the key of a `Standard` that the file lists.
    """

    name: str
    label: str
    domain: str
    structure: str
    klass: str
    keys: tuple[str, ...]
    items: tuple[Item, ...]
    href: str
    standard: str
    purpose: str = "Tabulation"
    is_repeating: bool = True
    is_reference: bool = False
    comment: str = ""
