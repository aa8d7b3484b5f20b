"""What things are called in an ODM file: one identifier (OID) for one thing, wherever it stands."""

from __future__ import annotations

# Forms and visits that are asked at any time belong to an event of their own.
ANY_TIME = "SE.ANY_TIME"


def version(number: int) -> str:
    """A version of the protocol."""
    return f"MDV.{number}"


def event(visit: str) -> str:
    """A visit; without one, any time."""
    return f"SE.V.{visit}" if visit else ANY_TIME


def form(name: str) -> str:
    """A case report form."""
    return f"F.{name}"


def group(form: str, part: str = "") -> str:
    """The items of a form, or a part of them."""
    return f"IG.{form}.{part}" if part else f"IG.{form}"


def item(form: str, column: str) -> str:
    """An item by the column that it has in the tables of forms."""
    return f"IT.{form}.{column}"


def codes(form: str, column: str) -> str:
    """The answers of an item."""
    return f"CL.{form}.{column}"


def condition(form: str, item: str) -> str:
    """When an item is not asked."""
    return f"CD.{form}.{item}"


def method(form: str, item: str) -> str:
    """How an item follows from others."""
    return f"MT.{form}.{item}"


def unit(word: str) -> str:
    """A unit of measurement.

    >>> unit("mL/min/1.73 m2")
    'MU.mL/min/1.73_m2'
    """
    return f"MU.{word.replace(' ', '_')}"


def site(code: str) -> str:
    """A site."""
    return f"LOC.{code}"


def user(number: int) -> str:
    """A person or a part of the system."""
    return f"USR.{number}"


def signature(meaning: str) -> str:
    """What a signature means."""
    return f"SD.{meaning}"
