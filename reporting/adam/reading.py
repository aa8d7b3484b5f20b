"""The domains of SDTM as whoever derives from them asks for them: by patient, with qualifiers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from reporting.sdtm.model import Domain, Values

Record = Mapping[str, Any]
_NONE: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Whole:
    """What is told of all patients together: tracers that were given, tests, and periods."""

    tracers: frozenset[str]
    tests: frozenset[str]
    periods: int


def whole(domains: Sequence[Domain]) -> Whole:
    """What domains tell as a whole."""
    known = {one.name: one for one in domains}
    elements = Counter(
        who
        for who, epoch in zip(_of(known, "SE", "USUBJID"), _of(known, "SE", "EPOCH"), strict=True)
        if epoch == "TREATMENT"
    )
    return Whole(
        tracers=frozenset(_of(known, "EX", "EXTRT")) | frozenset(_of(known, "AG", "AGTRT")),
        tests=frozenset(_of(known, "TR", "TRTESTCD")),
        periods=max(elements.values(), default=0),
    )


def _of(known: Mapping[str, Domain], domain: str, variable: str) -> Iterator[str]:
    """The values of a variable that is a text."""
    if found := known.get(domain):
        place = found.names.index(variable)
        yield from (str(row[place]) for row in found.rows)


def parts(domains: Sequence[Domain], patients: int | None) -> Iterator[Sequence[Domain]]:
    """The domains with the rows of so many patients at a time, in the order of DM, or of all.

    Domains of the trial are whole in every part; the rows of others are in the order of USUBJID.
    """
    if patients is None:
        yield domains
        return
    of_trial = [one for one in domains if "USUBJID" not in one.names]
    others = [_Parted(one) for one in domains if "USUBJID" in one.names]
    people = (
        who for one in domains if one.name == "DM" for who in _of({"DM": one}, "DM", "USUBJID")
    )
    while some := list(islice(people, patients)):
        yield [*of_trial, *(one.until(some[-1]) for one in others)]


class _Parted:
    """A domain whose rows are taken patient by patient."""

    def __init__(self, domain: Domain) -> None:
        self._domain, self._place = domain, domain.names.index("USUBJID")
        self._rows = iter(domain.rows)
        self._first = next(self._rows, None)

    def until(self, usubjid: str) -> Domain:
        """The next rows, as far as they are of this patient or one before."""
        found: list[Values] = []
        while self._first is not None and str(self._first[self._place]) <= usubjid:
            found.append(self._first)
            self._first = next(self._rows, None)
        return replace(self._domain, rows=found)


class Tables:
    """The records of a submission, of all patients or of some."""

    def __init__(self, domains: Sequence[Domain], of: Whole | None = None) -> None:
        self.whole = of or whole(domains)
        self._domains = {one.name: one for one in domains}
        self._records: dict[str, list[Record]] = {}
        self._by_patient: dict[str, dict[str, list[Record]]] = {}
        self._qualifiers: dict[str, dict[tuple[str, str], dict[str, str]]] = {}

    def of(self, domain: str) -> Sequence[Record]:
        """The records of a domain; none of one that the submission lacks."""
        if domain not in self._records:
            found = self._domains.get(domain)
            self._records[domain] = list(found.records()) if found else []
        return self._records[domain]

    def of_patient(self, domain: str, usubjid: str) -> Sequence[Record]:
        """The records of a patient in the order of the domain."""
        if domain not in self._by_patient:
            found: dict[str, list[Record]] = defaultdict(list)
            for record in self.of(domain):
                found[record["USUBJID"]].append(record)
            self._by_patient[domain] = found
        return self._by_patient[domain].get(usubjid, ())

    def qualifiers(self, domain: str, record: Record) -> Mapping[str, str]:
        """The supplemental qualifiers of a record, by QNAM."""
        if domain not in self._qualifiers:
            found: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
            for one in self.of(f"SUPP{domain}"):
                found[one["USUBJID"], one["IDVARVAL"]][one["QNAM"]] = one["QVAL"]
            self._qualifiers[domain] = found
        number = "" if domain == "DM" else str(record[f"{domain}SEQ"])
        return self._qualifiers[domain].get((record["USUBJID"], number), _NONE)

    def summary(self, code: str) -> Iterator[str]:
        """The values of a parameter of the trial summary."""
        return (one["TSVAL"] for one in self.of("TS") if one["TSPARMCD"] == code and one["TSVAL"])

    @property
    def is_crossover(self) -> bool:
        """Whether a patient is given several treatments one after the other."""
        return "CROSS-OVER" in self.summary("INTMODEL")

    def planned(self, arm: str) -> list[str]:
        """The treatments of an arm in their order."""
        rows = [one for one in self.of("TA") if one["ARMCD"] == arm and one["EPOCH"] == "TREATMENT"]
        return [one["ELEMENT"] for one in sorted(rows, key=lambda one: one["TAETORD"])]

    def given(self, usubjid: str) -> list[Record]:
        """The elements of treatment that a patient went through, in their order."""
        rows = [one for one in self.of_patient("SE", usubjid) if one["EPOCH"] == "TREATMENT"]
        return sorted(rows, key=lambda one: one["SESTDTC"])

    @property
    def periods(self) -> int:
        """How many treatments one after the other there are at most."""
        if not self.is_crossover:
            return 1
        arms = dict.fromkeys(one["ARMCD"] for one in self.of("TA"))
        return max([1, self.whole.periods, *(len(self.planned(one)) for one in arms)])
