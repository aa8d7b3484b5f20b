"""From records to domains: order, numbers, days of study, epochs, qualifiers, comments, lengths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from reporting.formats.xpt import LONGEST_TEXT, ascii_of
from reporting.sdtm import dates
from reporting.sdtm.draft import Draft, Record, Relation
from reporting.sdtm.growing import Growing, parts
from reporting.sdtm.model import Domain, Keep, Value, Values
from reporting.sdtm.specification import DOMAINS, Specification
from reporting.sdtm.subjects import Subject

# What tells records of a domain apart, besides study and patient; --SEQ numbers them in this order.
KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "DM": (),
        "SC": ("SCTESTCD",),
        "DS": ("DSDECOD", "DSSTDTC"),
        "IE": ("IETESTCD", "IESPID"),
        "SV": ("VISITNUM",),
        "SE": ("TAETORD",),
        "EC": ("ECTRT", "ECSTDTC"),
        "EX": ("EXTRT", "EXSTDTC"),
        "AG": ("AGTRT", "AGSTDTC"),
        "PR": ("PRTRT", "PRSTDTC", "PRSPID"),
        "LB": ("LBTESTCD", "LBDTC", "LBSPID"),
        "VS": ("VSTESTCD", "VSDTC", "VSTPT", "VSSPID"),
        "CM": ("CMTRT", "CMSTDTC", "CMSPID"),
        "MH": ("MHTERM", "MHSTDTC", "MHSPID"),
        "AE": ("AETERM", "AESTDTC", "AESPID"),
        "DV": ("DVTERM", "DVSTDTC", "DVSPID"),
        "TU": ("TULNKID", "TUTESTCD", "TUEVALID"),
        "TR": ("TRLNKGRP", "TRLNKID", "TRTESTCD", "TREVALID", "TRSPID"),
        "RS": ("RSTESTCD", "RSCAT", "RSDTC", "RSEVALID", "RSSPID"),
        "MI": ("MITESTCD", "MISPID"),
        "RP": ("RPTESTCD", "RPDTC", "RPSPID"),
        "TI": ("IETESTCD", "TIVERS"),
        "TS": ("TSPARMCD", "TSSEQ"),
        "TA": ("ARMCD", "TAETORD"),
        "TE": ("ETCD",),
        "TV": ("VISITNUM", "ARMCD"),
        "CO": ("COSEQ",),
        "RELREC": ("RDOMAIN", "IDVAR", "IDVARVAL", "RELID"),
        "SUPPQUAL": ("RDOMAIN", "IDVAR", "IDVARVAL", "QNAM"),
    }
)
_NAMES = "DM SC DS IE TI TS TA TE TV SV SE EC EX AG PR LB VS CM MH AE DV TU TR RS MI RP"
ORDER = tuple(_NAMES.split())
_OF_TRIAL = frozenset({"TI", "TS", "TA", "TE", "TV"})
# Whose epoch is that of its element, or stands in the plan.
_OWN_EPOCH = frozenset({"SE", "TA"})
_LAST_BEFORE = frozenset({"LB", "VS", "RP", "RS", "MI", "TU", "TR"})


class Growings:
    """The domains of a submission as they grow."""

    def __init__(self, study: str, keep: Keep) -> None:
        self._study, self._keep = study, keep
        self._made = {name: self._growing(DOMAINS[name]) for name in ORDER}
        self._supplements = {name: self._growing(_supplemental(name)) for name in ORDER}
        self._related = self._growing(DOMAINS["RELREC"])
        # Rows of CO: values of its variables, then what goes on in further ones.
        self._comments, self._further = keep(), 0

    def _growing(self, of: Specification) -> Growing:
        keys = KEYS["SUPPQUAL" if of.name.startswith("SUPP") else of.name]
        every = ("STUDYID", "USUBJID", *keys)
        common: dict[str, Value] = {"STUDYID": self._study, "DOMAIN": of.name}
        known = tuple(one for one in every if one in of.names)
        return Growing(of, known, self._keep, common)

    def add(self, draft: Draft) -> Iterator[tuple[Specification, Sequence[Values]]]:
        """Take the records of a draft; the rows that came of them, by domain."""
        for name in ORDER:
            _complete(name, draft.records[name])
            made = self._made[name]
            yield made.of, made.add(map(_values, draft.records[name]))
        yield self._add_comments(draft)
        self._related.add(map(_values, _related(draft)))
        for name in ORDER:
            supplement = self._supplements[name]
            yield supplement.of, supplement.add(_supplements(name, draft.records[name]))

    def _add_comments(self, draft: Draft) -> tuple[Specification, Sequence[Values]]:
        of = DOMAINS["CO"]
        alone = Growing(of, (), list, {"STUDYID": self._study, "DOMAIN": of.name})
        rows = []
        for record in _comments(draft):
            further = [record.values.pop(f"COVAL{n}") for n in range(1, _pieces(record))]
            self._further = max(self._further, len(further))
            rows.append((*alone.add([_values(record)])[0], *further))
        self._comments.extend(rows)
        return of, [row[: len(of.variables)] for row in rows]

    def finished(self, relations: Iterable[Relation]) -> tuple[Domain, ...]:
        """The domains in their order: those of observations, then CO, RELREC and SUPP--."""
        relrec = self._growing(DOMAINS["RELREC"])
        relrec.add(self._relations(relations))
        for some in parts(self._related.rows):
            relrec.take(some)
        grown = [*self._made.values(), self._with_comments(), relrec]
        grown += [
            one
            for name, one in self._supplements.items()
            if (name not in _OF_TRIAL and name not in ("SV", "SE")) or len(one.rows)
        ]
        return tuple(one.finished() for one in grown)

    def _with_comments(self) -> Growing:
        """CO with as many variables COVALn as its longest comment needs."""
        of = DOMAINS["CO"]
        at, number = of.names.index("COVAL") + 1, len(of.variables)
        further = tuple(
            replace(of.variables[at - 1], name=f"COVAL{n}", label=f"Comment {n}", core="Perm")
            for n in range(1, self._further + 1)
        )
        variables = (*of.variables[:at], *further, *of.variables[at:])
        grown = self._growing(replace(of, variables=variables))
        for some in parts(self._comments):
            empty = [""] * self._further
            grown.take(
                [
                    (*row[:at], *(*row[number:], *empty)[: self._further], *row[at:number])
                    for row in some
                ]
            )
        return grown

    def _relations(self, relations: Iterable[Relation]) -> Iterator[dict[str, Value]]:
        """Datasets that belong together."""
        for number, sides in enumerate(relations, 1):
            if all(len(self._made[domain].rows) for domain, _, _ in sides):
                for domain, variable, type_ in sides:
                    yield {
                        "RDOMAIN": domain,
                        "IDVAR": variable,
                        "RELTYPE": type_,
                        "RELID": f"{number}",
                    }


def _complete(name: str, records: list[Record]) -> None:
    """Number the records of each patient and tell what follows from their dates."""
    records.sort(key=lambda one: _order(name, one))
    numbers: Counter[Subject | None] = Counter()
    names = set(DOMAINS[name].names)
    for record in records:
        numbers[record.subject] += 1
        if f"{name}SEQ" in names and name not in _OF_TRIAL:
            record.values[f"{name}SEQ"] = numbers[record.subject]
        if record.subject is not None:
            _date(name, names, record, record.subject)
        _divide_long_texts(record)
    if name in _LAST_BEFORE:
        _flag_last_before(name, records)


def _order(name: str, record: Record) -> tuple:
    who = record.subject.usubjid if record.subject else ""
    return who, *(_sortable(record.values.get(key)) for key in KEYS[name])


def _sortable(value: Value) -> tuple:
    return (1, "", value) if isinstance(value, int | float) else (0, str(value or ""), 0)


def _date(name: str, names: set[str], record: Record, subject: Subject) -> None:
    values = record.values
    for part in ("", "ST", "EN"):
        if (at := values.get(f"{name}{part}DTC")) and f"{name}{part}DY" in names:
            number = dates.day(at, subject.reference)
            if number is not None:
                values[f"{name}{part}DY"] = number
    if "EPOCH" in names and name not in _OWN_EPOCH and "EPOCH" not in values:
        found = epoch(subject, str(values.get(f"{name}STDTC") or values.get(f"{name}DTC") or ""))
        if found:
            values["EPOCH"] = found


def epoch(subject: Subject, at: str) -> str:
    """The epoch of a date; of one before the consent, or that does not tell, none."""
    if not at or not subject.consented or dates.is_before(at, subject.consented[:10]):
        return ""
    if not subject.injected:
        return "SCREENING" if len(at) >= LENGTH_OF_DAY else ""
    first = subject.local(subject.injected[0]["injected_at"])
    last = subject.local(subject.injected[-1]["injected_at"])[:LENGTH_OF_DAY]
    is_earlier = dates.is_before(at, first)
    if is_earlier is None or len(at) < LENGTH_OF_DAY:
        return ""
    if is_earlier:
        return "SCREENING"
    return "FOLLOW-UP" if at[:LENGTH_OF_DAY] > last else "TREATMENT"


LENGTH_OF_DAY = len("2026-03-02")


def _flag_last_before(name: str, records: list[Record]) -> None:
    """--LOBXFL: of each test and assessor the last result before the first injection."""
    last: dict[tuple, tuple[str, Record]] = {}
    for record in records:
        values, subject = record.values, record.subject
        at = str(values.get(f"{name}DTC") or "")
        if subject is None or not subject.reference or not values.get(f"{name}ORRES"):
            continue
        if dates.is_before(at, subject.reference) is not True:
            continue
        key = (
            subject.usubjid,
            *(values.get(f"{name}{part}") for part in ("TESTCD", "LNKID", "EVALID", "SPEC")),
        )
        if key not in last or at >= last[key][0]:
            last[key] = (at, record)
    for _, record in last.values():
        record.values[f"{name}LOBXFL"] = "Y"


def pieces(text: str) -> list[str]:
    """A text in parts that XPT takes, of 200 bytes in ASCII, broken between words if it can be.

    >>> [len(one) for one in pieces("x" * 250)], pieces("")
    ([200, 50], [''])
    """
    found, rest = [], text
    while len(ascii_of(rest)) > LONGEST_TEXT:
        end = LONGEST_TEXT
        while len(ascii_of(rest[:end])) > LONGEST_TEXT:
            end -= 1
        space = rest.rfind(" ", end - 40, end)
        end = space if space > 0 else end
        found.append(rest[:end])
        rest = rest[end:].lstrip(" ")
    return [*found, rest]


def _divide_long_texts(record: Record) -> None:
    """What is longer than XPT takes goes on in supplemental qualifiers, as the guide says."""
    if record.subject is None:
        return
    for name, value in list(record.values.items()):
        if not isinstance(value, str) or len(value) * 4 <= LONGEST_TEXT:
            continue
        first, *others = pieces(value)
        record.values[name] = first
        for number, part in enumerate(others, 1):
            record.supplement(f"{name[:7]}{number}", f"{name}, continued ({number})", part)


def _supplements(name: str, records: Iterable[Record]) -> Iterator[dict[str, Value]]:
    for record in records:
        idvar = "" if name == "DM" else f"{name}SEQ" if name not in ("SV",) else "VISITNUM"
        for one in record.qualifiers:
            first, *others = pieces(one.value)
            for number, part in enumerate((first, *others)):
                qnam = one.name if number == 0 else f"{one.name[:7]}{number}"
                yield {
                    "RDOMAIN": name,
                    "USUBJID": record.subject.usubjid if record.subject else "",
                    "IDVAR": idvar,
                    "IDVARVAL": str(record.values[idvar]) if idvar else "",
                    "QNAM": qnam,
                    "QLABEL": one.label if number == 0 else f"{one.label[:37]} {number}",
                    "QVAL": part,
                    "QORIG": one.origin,
                    "QEVAL": "",
                }


def _supplemental(name: str) -> Specification:
    return replace(
        DOMAINS["SUPPQUAL"], name=f"SUPP{name}", label=f"Supplemental Qualifiers for {name}"
    )


def _comments(draft: Draft) -> list[Record]:
    """CO: comments on records, then those on patients."""
    found: list[Record] = []
    for name in ORDER:
        for record in draft.records[name]:
            for text in record.comments:
                values: dict[str, Value] = {
                    "RDOMAIN": name,
                    "IDVAR": f"{name}SEQ",
                    "IDVARVAL": str(record.values.get(f"{name}SEQ", "")),
                }
                found.append(Record("CO", record.subject, {**values, **_parts(text)}))
    for one in draft.comments:
        dated: dict[str, Value] = {"CODTC": one.dated} if one.dated else {}
        if (number := dates.day(one.dated, one.subject.reference)) is not None:
            dated["CODY"] = number
        found.append(Record("CO", one.subject, {**_parts(one.text), **dated}))
    found.sort(key=lambda one: one.subject.usubjid if one.subject else "")
    numbers: Counter[Subject | None] = Counter()
    for record in found:
        numbers[record.subject] += 1
        record.values["COSEQ"] = numbers[record.subject]
    return found


def _parts(text: str) -> dict[str, Value]:
    return {f"COVAL{number or ''}": part for number, part in enumerate(pieces(text))}


def _pieces(record: Record) -> int:
    """In how many variables the text of a comment is."""
    return sum(key.startswith("COVAL") for key in record.values)


def _related(draft: Draft) -> Iterator[Record]:
    """RELREC: pairs of records that belong together."""
    for name, *pair in draft.related:
        for record in pair:
            seq = f"{record.domain}SEQ"
            values: dict[str, Value] = {"RDOMAIN": record.domain, "IDVAR": seq}
            values |= {"IDVARVAL": str(record.values[seq]), "RELID": name}
            yield Record("RELREC", record.subject, values)


def _values(record: Record) -> dict[str, Value]:
    if record.subject is None:
        return record.values
    return {**record.values, "USUBJID": record.subject.usubjid}
