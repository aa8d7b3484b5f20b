"""From records to domains: order, numbers, days of study, epochs, qualifiers, comments, lengths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from reporting.formats.xpt import LONGEST_TEXT, ascii_of
from reporting.sdtm import dates
from reporting.sdtm.draft import Draft, Record
from reporting.sdtm.model import Domain, Value, Variable
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


def finished(draft: Draft) -> tuple[Domain, ...]:
    """The domains in their order: those of observations, then CO, RELREC and SUPP--."""
    made, supplements = [], []
    for name in ORDER:
        records = draft.records[name]
        _complete(name, records)
        made.append(_domain(DOMAINS[name], records, draft))
    comments = _comments(draft)
    made.append(_domain(_with_long_comments(comments), comments, draft))
    made.append(_domain(DOMAINS["RELREC"], _relations(draft), draft))
    for name in ORDER:
        rows = list(_supplements(name, draft.records[name]))
        if (name not in _OF_TRIAL and name not in ("SV", "SE")) or rows:
            supplements.append(_supplemental(name, rows, draft))
    return (*made, *supplements)


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


def _supplemental(name: str, rows: list[dict[str, Value]], draft: Draft) -> Domain:
    of = replace(
        DOMAINS["SUPPQUAL"], name=f"SUPP{name}", label=f"Supplemental Qualifiers for {name}"
    )
    return _of_rows(of, rows, draft, KEYS["SUPPQUAL"])


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


def _with_long_comments(comments: Iterable[Record]) -> Specification:
    """CO with as many variables COVALn as its longest comment needs."""
    of = DOMAINS["CO"]
    most = max((sum(key.startswith("COVAL") for key in one.values) for one in comments), default=1)
    value = next(one for one in of.variables if one.name == "COVAL")
    further = tuple(
        replace(value, name=f"COVAL{number}", label=f"Comment {number}", core="Perm")
        for number in range(1, most)
    )
    at = of.variables.index(value) + 1
    return replace(of, variables=(*of.variables[:at], *further, *of.variables[at:]))


def _relations(draft: Draft) -> list[Record]:
    """RELREC: datasets that belong together, then pairs of records."""
    found = []
    for number, sides in enumerate(draft.relations, 1):
        if all(draft.records[domain] for domain, _, _ in sides):
            for domain, variable, type_ in sides:
                values: dict[str, Value] = {"RDOMAIN": domain, "IDVAR": variable}
                values |= {"RELTYPE": type_, "RELID": f"{number}"}
                found.append(Record("RELREC", None, values))
    for name, *pair in draft.related:
        for record in pair:
            seq = f"{record.domain}SEQ"
            values = {"RDOMAIN": record.domain, "IDVAR": seq}
            values |= {"IDVARVAL": str(record.values[seq]), "RELID": name}
            found.append(Record("RELREC", record.subject, values))
    return found


def _domain(of: Specification, records: Iterable[Record], draft: Draft) -> Domain:
    rows = [
        {**one.values, **({"USUBJID": one.subject.usubjid} if one.subject else {})}
        for one in records
    ]
    return _of_rows(of, rows, draft, KEYS[of.name])


def _of_rows(
    of: Specification, rows: list[dict[str, Value]], draft: Draft, keys: tuple[str, ...]
) -> Domain:
    whole: list[tuple[Value, ...]] = []
    common: dict[str, Value] = {"STUDYID": draft.source.study, "DOMAIN": of.name}
    for row in rows:
        values = {**row, **common}
        whole.append(tuple(_value(one, values.get(one.name)) for one in of.variables))
    names = of.names
    first = [name for name in ("STUDYID", "USUBJID") if name in names]
    return Domain(
        name=of.name,
        label=of.label,
        structure=of.structure,
        klass=of.klass,
        keys=(*first, *(key for key in keys if key in names)),
        variables=tuple(
            replace(one, length=_length(one, [row[place] for row in whole]))
            for place, one in enumerate(of.variables)
        ),
        rows=tuple(whole),
    )


def _value(variable: Variable, value: Value) -> Value:
    if variable.type == "Num":
        return None if value in (None, "") else value
    return "" if value is None else str(value)


def _length(variable: Variable, values: Iterable[Value]) -> int:
    if variable.type == "Num":
        return variable.length
    return max((len(ascii_of(str(value))) for value in values), default=1) or 1
