"""ADPET: of each scan what was injected, when it began, what was read of it, and its references."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reporting.adam.parameters import CT, NO_TRACER, Parameter, Parameters
from reporting.adam.populations import Populations
from reporting.adam.reading import Record, Tables
from reporting.adam.records import Made, changed, identified, method_of
from reporting.adam.subjects import Row

_SERIES, _CT_SCAN, _RECIST = "SERIES-", "CT SCAN", "RECIST 1.1"
INJECTION, CONDUCT, DOSE, BODY = "INJECTION", "CONDUCT", "EFFECTIVE DOSE", "BODY"
SERIES, READ, REFERENCE = "SERIES", "READ OF THE SCAN", "REGION OF REFERENCE"
# Qualifiers of PR that are numbers: the code, the parameter, its unit, what it is about.
_OF_PROCEDURE = (
    ("UPTKTM", "Uptake Time", "min", CONDUCT),
    ("EDTRACER", "Effective Dose of the Tracer", "mSv", DOSE),
    ("EDCT", "Effective Dose of CT", "mSv", DOSE),
    ("EDTOTAL", "Effective Dose, Total", "mSv", DOSE),
)
# Shorter than the qualifier, as the letter of the tracer comes before.
_CODES = {"EDTRACER": "EDTRAC"}
# What is compared with the baseline: results, and not how the scan was done.
_RESULTS = frozenset({SERIES, READ, REFERENCE})


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan that was begun: its link, the tracer, and its records of EX or AG and of PR."""

    usubjid: str
    link: str
    domain: str
    injection: Record | None
    procedure: Record | None

    @property
    def tracer(self) -> str:
        if self.injection:
            return str(self.injection[f"{self.domain}TRT"])
        return NO_TRACER if self.link else ""

    @property
    def injected(self) -> str:
        """When the tracer was given, local."""
        return str(self.injection[f"{self.domain}STDTC"]) if self.injection else ""

    @property
    def is_done(self) -> bool:
        return self.procedure is not None and self.procedure["PROCCUR"] == "Y"


class Scans:
    """The scans of a trial by patient and link, which series count, which scan is a baseline."""

    def __init__(self, tables: Tables) -> None:
        self._scans = {(one.usubjid, one.link): one for one in _scans(tables)}
        self._of_patient: dict[str, list[Scan]] = {}
        for scan in self._scans.values():
            self._of_patient.setdefault(scan.usubjid, []).append(scan)
        self._measured_on_ct = {
            (one["USUBJID"], one["TRLNKGRP"])
            for one in tables.of("TR")
            if one["TRMETHOD"] == _CT_SCAN
        }
        self._counting = {
            (one["USUBJID"], one["TRREFID"])
            for one in tables.of("TR")
            if one["TRSPID"].startswith(_SERIES)
            and tables.qualifiers("TR", one).get("COUNTS") == "Y"
        }
        self._judged_against = self._named(tables)
        self._baselines: dict[tuple[str, str], str] = {}

    def of(self, usubjid: str, link: str) -> Scan:
        """A scan; of one of which nothing was injected its name alone."""
        return self._scans.get((usubjid, link)) or Scan(usubjid, link, "", None, None)

    def of_patient(self, usubjid: str) -> Sequence[Scan]:
        """The scans of a patient."""
        return self._of_patient.get(usubjid, ())

    def counts(self, usubjid: str, series: str) -> bool:
        """Whether a series stands for its scan."""
        return (usubjid, series) in self._counting

    def baseline(self, usubjid: str, measure: str) -> str:
        """The link of the scan that others are compared with, of a tracer or of CT."""
        key = (usubjid, measure)
        if key not in self._baselines:
            told = self._judged_against.get(key, set())
            named = [link for link in told if self._is_of(self.of(usubjid, link), measure)]
            self._baselines[key] = named[0] if len(named) == 1 else self._first(*key)
        return self._baselines[key]

    def is_later(self, usubjid: str, link: str, than: str) -> bool:
        """Whether a scan was begun after another."""
        one, other = self.of(usubjid, link).injected, self.of(usubjid, than).injected
        return bool(one and other) and one > other

    def _first(self, usubjid: str, measure: str) -> str:
        found = [
            (one.injected, one.link)
            for one in self.of_patient(usubjid)
            if one.is_done and self._is_of(one, measure)
        ]
        return min(found)[1] if found else ""

    def _is_of(self, scan: Scan, measure: str) -> bool:
        if measure == CT:
            return (scan.usubjid, scan.link) in self._measured_on_ct
        return scan.tracer == measure

    def _named(self, tables: Tables) -> dict[tuple[str, str], set[str]]:
        found: dict[tuple[str, str], set[str]] = {}
        for one in tables.of("RS"):
            against = tables.qualifiers("RS", one).get("BASESCAN")
            if against:
                of_ct = one["RSCAT"] == _RECIST
                tracer = self.of(one["USUBJID"], one["RSLNKGRP"]).tracer
                found.setdefault((one["USUBJID"], CT if of_ct else tracer), set()).add(against)
        return found


def _scans(tables: Tables) -> Iterator[Scan]:
    given = {
        (one["USUBJID"], one[f"{domain}LNKID"]): (domain, one)
        for domain in ("EX", "AG")
        for one in tables.of(domain)
        if one[f"{domain}LNKID"]
    }
    done = {(one["USUBJID"], one["PRLNKID"]): one for one in tables.of("PR") if one["PRLNKID"]}
    for who, link in dict.fromkeys([*given, *done]):
        domain, injection = given.get((who, link), ("", None))
        yield Scan(who, link, domain, injection, done.get((who, link)))


def rows(
    tables: Tables,
    scans: Scans,
    known: Parameters,
    populations: Populations,
    people: Sequence[Row],
) -> list[Row]:
    """The records of all scans, those of a patient together."""
    found: list[Made] = []
    for person in people:
        who = person["USUBJID"]
        for parameter, category, source, values in _of_patient(tables, scans, known, who):
            scan = scans.of(who, values.pop("SCANID"))
            made = identified(tables, person, scan, parameter, source)
            made.is_result = category in _RESULTS
            made.values |= {
                "PARCAT2": category,
                "SCANID": scan.link,
                "SCANDONE": scan.procedure["PROCCUR"] if scan.procedure else "",
                **populations.of_scan(who, scan.link, of_lesion=False),
                **values,
            }
            found.append(made)
    return changed(scans, found)


Of = tuple[Parameter, str, "tuple[str, str, Record]", Row]


def _of_patient(tables: Tables, scans: Scans, known: Parameters, who: str) -> Iterator[Of]:
    for scan in scans.of_patient(who):
        yield from _conduct(tables, known, scan)
    yield from _body(tables, scans, known, who)
    regions = _regions(tables, who)
    kinds = Counter(
        (one["TRREFID"], regions[one["TRLNKID"]][0], one["TRTESTCD"])
        for one in tables.of_patient("TR", who)
        if one["TRLNKID"] in regions
    )
    for record in tables.of_patient("TR", who):
        if record["TRSTAT"] or not record["TRLNKGRP"]:
            continue
        tracer = scans.of(who, record["TRLNKGRP"]).tracer
        name, test, unit = record["TRTEST"], record["TRTESTCD"], record["TRSTRESU"]
        values = _result(tables, record)
        if record["TRLNKID"] in regions:
            kind, status = regions[record["TRLNKID"]]
            is_sole = kinds[record["TRREFID"], kind, test] == 1
            stands = status != "proposed" and scans.counts(who, record["TRREFID"]) and is_sole
            parameter = known.of_region(tracer, kind, test, name, unit)
            category, flag = REFERENCE, stands
        elif record["TRLNKID"]:
            continue
        elif record["TRSPID"].startswith(_SERIES):
            parameter = known.of_tracer(tracer, "SCANMAX", f"Whole Series, {name}", unit)
            category, flag = SERIES, scans.counts(who, record["TRREFID"])
        else:
            parameter = known.of_tracer(tracer, test, f"Scan as Read, {name}", unit)
            category, flag = READ, record["TRACPTFL"] == "Y"
        values["ANL01FL"] = "Y" if flag else ""
        yield parameter, category, ("TR", _variable(record), record), values


def _conduct(tables: Tables, known: Parameters, scan: Scan) -> Iterator[Of]:
    common = {"SCANID": scan.link, "ANL01FL": "Y" if scan.is_done else ""}
    if (one := scan.injection) is not None and one[f"{scan.domain}DOSE"] is not None:
        dose, unit = f"{scan.domain}DOSE", one[f"{scan.domain}DOSU"]
        parameter = known.of_tracer(scan.tracer, "INJACT", "Net Injected Activity", unit)
        values = {**common, "AVAL": one[dose], "AVALU": unit}
        yield parameter, INJECTION, (scan.domain, dose, one), values
    if (one := scan.procedure) is not None:
        told = tables.qualifiers("PR", one)
        for name, label, unit, category in _OF_PROCEDURE:
            if told.get(name):
                parameter = known.of_tracer(scan.tracer, _CODES.get(name, name), label, unit)
                values = {**common, "AVAL": float(told[name]), "AVALU": unit}
                yield parameter, category, ("SUPPPR", name, one), values


def _body(tables: Tables, scans: Scans, known: Parameters, who: str) -> Iterator[Of]:
    """Weight and height that the values of a scan were normalised by."""
    for one in tables.of_patient("VS", who):
        scan = scans.of(who, one["VSSPID"])
        if one["VSTESTCD"] in ("WEIGHT", "HEIGHT") and scan.injection is not None:
            parameter = known.of_tracer(
                scan.tracer, one["VSTESTCD"], f"{one['VSTEST']} at the Scan", one["VSSTRESU"]
            )
            values = {
                "SCANID": scan.link,
                "ANL01FL": "Y" if scan.is_done else "",
                "AVAL": one["VSSTRESN"],
                "AVALU": one["VSSTRESU"],
            }
            yield parameter, BODY, ("VS", "VSSTRESN", one), values


def _regions(tables: Tables, who: str) -> dict[str, tuple[str, str]]:
    """The regions of reference of a patient by link: what they are, who stands for them."""
    found = {}
    for one in tables.of_patient("TU", who):
        told = tables.qualifiers("TU", one)
        if "REGION" in told:
            found[one["TULNKID"]] = (told["REGION"], told.get("REGSTAT", ""))
    return found


def _variable(record: Record) -> str:
    return "TRSTRESN" if record["TRSTRESN"] is not None else "TRSTRESC"


def _result(tables: Tables, record: Record) -> Row:
    is_number = record["TRSTRESN"] is not None
    return {
        "SCANID": record["TRLNKGRP"],
        "AVAL": record["TRSTRESN"],
        "AVALC": "" if is_number else record["TRSTRESC"],
        "AVALU": record["TRSTRESU"],
        "MEASMTHD": method_of(tables, record),
        **{name: record[name] for name in ("TRNAM", "TREVAL", "TREVALID", "TRACPTFL")},
    }
