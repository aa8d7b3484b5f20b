"""What is wrong with the randomisation of a trial file that its schema can't see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trials import spans
from trials.variables import VARIABLES

# As long as the record keeps them.
LONGEST_SITE_CODE = 20
LONGEST_STRATUM = 200

Found = Iterator[tuple[tuple[str | int, ...], str]]


def errors(definition: Mapping[str, Any]) -> Found:
    """Every inconsistency of the randomisation, with the path to what is to be mended."""
    stated = definition["randomisation"]
    yield from _sequences(definition, stated["sequences"])
    for i, one in enumerate(stated.get("strata", ())):
        if one["by"] == "evidence":
            yield from _stratum(("randomisation", "strata", i), one)
    yield from _length(stated.get("strata", ()))
    yield from _gap(stated.get("gap") or {})
    for i, name in enumerate((stated.get("forbidden_between") or {}).get("events", ())):
        known = VARIABLES.get(name)
        if known is None or known.kind != "list" or known.choices:
            path = ("randomisation", "forbidden_between", "events", i)
            yield path, f"{name!r} is no list of events."


def _sequences(definition: Mapping[str, Any], sequences: list[dict[str, Any]]) -> Found:
    scans = [one["identifier"] for one in definition["planned_scans"]]
    arms = [one["identifier"] for one in definition.get("arms", ())]
    seen = set()
    for i, one in enumerate(sequences):
        path = ("randomisation", "sequences", i)
        if one["identifier"] in seen:
            yield (*path, "identifier"), f"the sequence {one['identifier']!r} stands twice."
        seen.add(one["identifier"])
        if unknown := [name for name in one["periods"] if name not in scans]:
            yield (*path, "periods"), f"{unknown} must be identifiers of planned_scans."
        if one.get("arm") and one["arm"] not in arms:
            yield (*path, "arm"), f"{one['arm']!r} must be an identifier of arms."


def _stratum(path: tuple[str | int, ...], one: Mapping[str, Any]) -> Found:
    known = VARIABLES.get(one["variable"])
    if known is None or known.kind != "choice":
        yield (*path, "variable"), f"{one['variable']!r} is no variable with choices."
        return
    codes = [code for code, _ in known.choices]
    if unknown := [level for level in one["levels"] if level not in codes]:
        yield (*path, "levels"), f"{unknown} must be choices of {one['variable']}: {codes}."


def _length(strata: Sequence[Mapping[str, Any]]) -> Found:
    """A patient's stratum is kept as one text, such as `site=101;diagnosis.group=NHL`."""
    parts = [
        len("site=") + LONGEST_SITE_CODE
        if one["by"] == "site"
        else len(one["variable"]) + 1 + max(map(len, one["levels"]))
        for one in strata
    ]
    longest = sum(parts) + max(len(parts) - 1, 0)
    if longest > LONGEST_STRATUM:
        yield (
            ("randomisation", "strata"),
            f"together these may take {longest} characters and at most {LONGEST_STRATUM} are "
            "kept: state fewer strata, or shorter levels.",
        )


def _gap(gap: Mapping[str, Any]) -> Found:
    for key in ("minimum", "maximum"):
        length = gap.get(key)
        if length is not None and (not spans.is_duration(length) or length.startswith("-")):
            path = ("randomisation", "gap", key)
            yield path, f"{length!r} is no duration such as PT24H or P14D."
