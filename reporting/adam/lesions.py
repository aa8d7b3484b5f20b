"""ADTR: what was measured of lesions, by readers, by software and on CT, and how it changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reporting.adam.parameters import Parameter, Parameters, is_ratio
from reporting.adam.populations import Populations
from reporting.adam.reading import Record, Tables
from reporting.adam.records import Made, changed, identified, method_of
from reporting.adam.scans import Scans
from reporting.adam.subjects import Row

_CT_SCAN, _PAIR = "CT SCAN", "PAIR"
_COPIED = ("TRLNKID", "TRLNKGRP", "TRMETHOD", "TRNAM", "TREVAL", "TREVALID", "TRACPTFL")
_OF_PLACE = ("TUORRES", "TULOC", "TULAT")


def rows(
    tables: Tables,
    scans: Scans,
    known: Parameters,
    populations: Populations,
    people: Sequence[Row],
) -> list[Row]:
    """The records of all lesions, those of a patient together."""
    found: list[Made] = []
    for person in people:
        who = person["USUBJID"]
        places = {one["TULNKID"]: one for one in tables.of_patient("TU", who)}
        names = across_scans(tables, who)
        for record in tables.of_patient("TR", who):
            if not record["TRLNKID"] or record["TRSTAT"]:
                continue
            link = record["TRLNKID"]
            place = places.get(link)
            if place is None or "REGION" not in tables.qualifiers("TU", place):
                made = _made(tables, scans, known, person, record)
                # What a form says of a lesion has no place in TU.
                made.values |= {name: place[name] for name in _OF_PLACE} if place else {}
                made.lesion = made.values["LESID"] = names.get(link, link)
                made.values |= populations.of_scan(who, record["TRLNKGRP"], of_lesion=True)
                found.append(made)
    return changed(scans, found)


def _made(
    tables: Tables,
    scans: Scans,
    known: Parameters,
    person: Row,
    record: Record,
) -> Made:
    who = person["USUBJID"]
    scan = scans.of(who, record["TRLNKGRP"])
    number = record["TRSTRESN"]
    variable = "TRSTRESN" if number is not None else "TRSTRESC"
    parameter = _parameter(tables, known, record, scan.tracer)
    made = identified(tables, person, scan, parameter, ("TR", variable, record))
    by_software = not record["TREVALID"] and scans.counts(who, record["TRREFID"])
    made.values |= {
        "AVAL": number,
        "AVALC": record["TRSTRESC"] if number is None else "",
        "AVALU": record["TRSTRESU"],
        "ANL01FL": "Y" if record["TRACPTFL"] == "Y" else "",
        "ANL02FL": "Y" if by_software else "",
        "MEASMTHD": method_of(tables, record),
        **{name: record[name] for name in _COPIED},
    }
    return made


def _parameter(tables: Tables, known: Parameters, record: Record, tracer: str) -> Parameter:
    test, name, unit = record["TRTESTCD"], record["TRTEST"], record["TRSTRESU"]
    if record["TRMETHOD"] == _CT_SCAN:
        return known.of_ct(test, name, unit)
    region = tables.qualifiers("TR", record).get("REFREG")
    if region and is_ratio(test):
        return known.ratio(tracer, region, test, name, unit)
    return known.of_tracer(tracer, test, name, unit)


def across_scans(tables: Tables, usubjid: str) -> Mapping[str, str]:
    """By the link of a lesion the one that it is called by wherever pairs find it again.

    Pairs join; a lesion of two pairs brings both together. The name is the link of the first in TU.
    """
    records = tables.of_patient("TU", usubjid)
    links = {str(one["TUSEQ"]): one["TULNKID"] for one in records}
    parent = {link: link for link in links.values()}

    def root(link: str) -> str:
        while parent[link] != link:
            link = parent[link]
        return link

    places = {link: number for number, link in enumerate(links.values())}
    joined: dict[str, list[str]] = {}
    for one in tables.of_patient("RELREC", usubjid):
        if one["RDOMAIN"] == "TU" and one["RELID"].startswith(_PAIR):
            joined.setdefault(one["RELID"], []).append(links[one["IDVARVAL"]])
    for pair in joined.values():
        first, *others = sorted(map(root, pair), key=places.__getitem__)
        for other in others:
            parent[other] = first
    return {link: root(link) for link in parent}
