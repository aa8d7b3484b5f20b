"""What records of ADTR and ADPET have in common: whose, of which scan, and how they changed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reporting.adam import dates
from reporting.adam.parameters import Parameter
from reporting.adam.reading import Record, Tables
from reporting.adam.subjects import Row

if TYPE_CHECKING:
    from reporting.adam.scans import Scan, Scans

_DIGITS = 12
_WAYS = ("MEASMTHD", "PEAKDEF", "SEGMTHD")


@dataclass(eq=False)
class Made:
    """A record to be, with the scan and the lesion it is of, and whether it is compared."""

    values: Row
    scan: str
    lesion: str = ""
    is_result: bool = True


def identified(
    tables: Tables,
    person: Row,
    scan: Scan,
    parameter: Parameter,
    source: tuple[str, str, Record],
) -> Made:
    """A record of a parameter, made of a variable of a record of SDTM."""
    domain, variable, record = source
    of = domain.removeprefix("SUPP")
    at = record.get(f"{of}STDTC") or record.get(f"{of}DTC") or ""
    visit = record if record.get("VISIT") else scan.procedure or {}
    values = {
        **_treatment(tables, person, scan),
        "ADT": dates.day(at),
        "ADTM": dates.moment(at),
        "ADY": dates.relative(dates.day(at), person["TRTSDT"]),
        "AVISIT": visit.get("VISIT", ""),
        "AVISITN": visit.get("VISITNUM"),
        "TRACER": scan.tracer,
        "PARCAT1": parameter.category,
        "PARAM": parameter.name,
        "PARAMCD": parameter.code,
        "SRCDOM": domain,
        "SRCVAR": variable,
        "SRCSEQ": record[f"{of}SEQ"],
    }
    return Made({**_copied(person), **values}, scan.link)


def _copied(person: Row) -> Row:
    """Identifiers and the patient's own flags."""
    wanted = ("STUDYID", "USUBJID", "SUBJID", "SITEID")
    return {name: person[name] for name in (*wanted, *person["flags"])}


def _treatment(tables: Tables, person: Row, scan: Scan) -> Row:
    if not tables.is_crossover:
        return {"TRTP": person["TRT01P"], "TRTA": person["TRT01A"]}
    period = _period(person, scan)
    if period is None:
        return {}
    return {
        "TRTP": person.get(f"TRT{period:02}P", ""),
        "TRTA": person[f"TRT{period:02}A"],
        "APERIOD": period,
        "APERIODC": person[f"TRT{period:02}A"],
    }


def _period(person: Row, scan: Scan) -> int | None:
    """The period that began with the injection of a scan."""
    at = dates.moment(scan.injected)
    for number in range(1, 100):
        if f"TR{number:02}SDTM" not in person:
            return None
        if at is not None and person[f"TR{number:02}SDTM"] == at:
            return number
    return None


def method_of(tables: Tables, record: Record) -> str:
    """How a result was measured, where there are several ways."""
    told = tables.qualifiers("TR", record)
    return next((told[name] for name in _WAYS if told.get(name)), "")


def changed(scans: Scans, found: Sequence[Made]) -> list[Row]:
    """The records in their order, numbered, with baselines and the changes since."""
    groups: dict[tuple[Any, ...], list[Made]] = defaultdict(list)
    for one in found:
        if one.is_result:
            groups[_series(one)].append(one)
    for members in groups.values():
        _compare(scans, members)
    ordered = sorted(found, key=_order)
    numbers: Counter[str] = Counter()
    for one in ordered:
        numbers[one.values["USUBJID"]] += 1
        one.values["ASEQ"] = numbers[one.values["USUBJID"]]
    return [one.values for one in ordered]


def _series(one: Made) -> tuple[Any, ...]:
    """What the values of one quantity over time have in common."""
    values = one.values
    assessor = values.get("TREVALID") or values.get("TRNAM") or ""
    return values["USUBJID"], values["PARAMCD"], one.lesion, assessor


def _order(one: Made) -> tuple[Any, ...]:
    values = one.values
    return (
        values["USUBJID"],
        values["PARAMCD"],
        one.lesion,
        values["ADTM"] if values["ADTM"] is not None else -1,
        values.get("TREVALID") or "",
        values["SRCDOM"],
        values["SRCSEQ"],
    )


def _compare(scans: Scans, members: Sequence[Made]) -> None:
    """Flag the baseline of a series of values, and say how the later ones differ from it.

    Of several values in the baseline scan those that are analysed go before others; if there are
    several still, which one is meant can't be told, and there is no baseline.
    """
    first = members[0].values
    scan = scans.baseline(first["USUBJID"], first["PARCAT1"])
    there = [one for one in members if scan and one.scan == scan]
    analysed = [one for one in there if _is_analysed(one.values)]
    there = analysed or there
    if len(there) != 1:
        return
    there[0].values["ABLFL"] = "Y"
    base = there[0].values.get("AVAL")
    if base is None:
        return
    for one in members:
        one.values["BASE"] = base
        value = one.values.get("AVAL")
        if value is not None and scans.is_later(first["USUBJID"], one.scan, scan):
            one.values |= change(value, base)


def change(value: float, base: float) -> Row:
    """CHG and PCHG, to the digits that the results of SDTM have; of a base of 0 no percentage.

    >>> change(6.3, 4.2)
    {'CHG': 2.1, 'PCHG': 50.0}
    >>> change(6.3, 0.0)
    {'CHG': 6.3}
    """
    difference = value - base
    found = {"CHG": _rounded(difference)}
    if base != 0:
        found["PCHG"] = _rounded(100 * difference / base)
    return found


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def _is_analysed(values: Row) -> bool:
    return "Y" in (values.get("ANL01FL"), values.get("ANL02FL"))
