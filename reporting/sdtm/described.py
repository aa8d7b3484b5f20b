"""The domains of a trial as define.xml describes them: each variable, and results by their test.

Value-level metadata is of --ORRES and --STRESN by --TESTCD, of QVAL by QNAM and of TSVAL by
TSPARMCD: what one variable holds there is of many kinds. Type, length and terms are those of the
rows themselves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from reporting.datasets import Type
from reporting.define import Codelist, Item, Origin, Table, Term, ValueLevel, measuring, terminology
from reporting.define.model import SDTMIG, Standard
from reporting.formats.xpt import ascii_of
from reporting.sdtm import derivations, tables
from reporting.sdtm.growing import parts
from reporting.sdtm.model import Domain, Value, Variable
from reporting.sdtm.specification import generic

STANDARDS: tuple[Standard, ...] = (SDTMIG, terminology.SDTM_TERMS)
CLASSES: Mapping[str, str] = MappingProxyType(
    {
        "Special-Purpose": "SPECIAL PURPOSE",
        "Trial Design": "TRIAL DESIGN",
        "Relationship": "RELATIONSHIP",
        "Findings": "FINDINGS",
        "Events": "EVENTS",
        "Interventions": "INTERVENTIONS",
    }
)
# Who says it: what is collected stands in the forms of the site, all else is the sponsor's.
SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "Collected": "Investigator",
        "Derived": "Sponsor",
        "Assigned": "Sponsor",
        "Protocol": "Sponsor",
    }
)
# Lists of which every dataset takes the same words; of any other each has a list of its own values.
_SHARED = frozenset({"NY", "EPOCH", "ND", "DOMAIN"})
# Codes and the variables beside them that say what they stand for.
_DECODED: Mapping[str, str] = MappingProxyType(
    {
        "ARMCD": "ARM",
        "ACTARMCD": "ACTARM",
        "ETCD": "ELEMENT",
        "IETESTCD": "IETEST",
        "TSPARMCD": "TSPARM",
        "QNAM": "QLABEL",
        **{
            f"{one}TESTCD": f"{one}TEST" for one in ("SC", "LB", "VS", "TU", "TR", "RS", "MI", "RP")
        },
    }
)
# Lists of the trial itself, which no terminology has.
_OF_TRIAL: Mapping[str, str] = MappingProxyType(
    {
        "ARMCD": "Arms of the trial",
        "ACTARMCD": "Arms of the trial",
        "ETCD": "Elements of the trial",
        "IETESTCD": "Criteria of the trial",
        "QNAM": "Supplemental qualifiers",
    }
)
_COUNTRIES = Codelist(
    "ISO3166", "Country, ISO 3166-1 alpha-3", dictionary="ISO 3166", dictionary_version="2020"
)


_Lists = Mapping[tuple[str, str], set[str]]
_Columns = Mapping[str, Sequence[Value]]


class _Level:
    """What a variable holds in the rows of one code."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.numbers, self.texts = measuring.Numbers(), measuring.Texts()
        self.origins: set[str] = set()
        self.units: set[str] = set()


class _Told:
    """What the rows of a domain tell of its variables, however many they are."""

    def __init__(self, domain: Domain) -> None:
        self.domain = domain
        self.numbers: dict[str, measuring.Numbers] = defaultdict(measuring.Numbers)
        self.dates: dict[str, measuring.Dates] = defaultdict(measuring.Dates)
        # Values of variables that have a list, and what codes stand for.
        self.listed: dict[str, set[str]] = defaultdict(set)
        self.decodes: dict[str, dict[str, str]] = defaultdict(dict)
        # Of variables that hold other things by a code: what says the code and its words.
        self.coded = {one.name: coded for one in domain.variables if (coded := _coded(domain, one))}
        self.levels: dict[str, dict[str, _Level]] = {name: {} for name in self.coded}
        for rows in parts(domain.rows):
            columns = zip(*rows, strict=True)
            self._add(dict(zip(domain.names, columns, strict=True)))

    def _add(self, columns: _Columns) -> None:
        for variable in self.domain.variables:
            name, values = variable.name, columns[variable.name]
            if variable.type == "Num":
                self.numbers[name].add(_numbers(values))
            elif name.endswith("DTC"):
                self.dates[name].add(_texts(values))
            if _key(self.domain, variable):
                self.listed[name] |= _terms(self.domain, variable, values)
            if (beside := _DECODED.get(name)) in columns:
                self._add_decodes(name, values, columns[str(beside)])
            if name in self.levels:
                self._add_levels(variable, columns)

    def _add_decodes(self, name: str, codes: Iterable[Value], words: Iterable[Value]) -> None:
        found = self.decodes[name]
        for code, said in dict.fromkeys(zip(codes, words, strict=True)):
            if code:
                found.setdefault(str(code), str(said or code))

    def _add_levels(self, variable: Variable, columns: _Columns) -> None:
        code, label = self.coded[variable.name]
        units = columns.get(_units(self.domain, variable), ())
        origins = columns.get("QORIG", ())
        places: dict[str, list[int]] = defaultdict(list)
        for row, (one, value) in enumerate(zip(columns[code], columns[variable.name], strict=True)):
            if value not in (None, ""):
                places[str(one)].append(row)
        for one, rows in places.items():
            values = [columns[variable.name][row] for row in rows]
            level = self.levels[variable.name].setdefault(
                one, _Level(str(columns[label][rows[0]] or one))
            )
            if variable.type == "Num":
                level.numbers.add(_numbers(values))
            else:
                level.texts.add(ascii_of(text) for text in _texts(values))
            level.units |= _texts(units[row] for row in rows) if units else set()
            level.origins |= _texts(origins[row] for row in rows) if origins else set()


def _texts(values: Iterable[Value]) -> set[str]:
    return {str(one) for one in set(values) if one not in (None, "")}


def _numbers(values: Iterable[Value]) -> Iterator[float]:
    return (one for one in values if isinstance(one, int | float))


def described(domains: Iterable[Domain], suffix: str) -> tuple[Table, ...]:
    """The domains that have rows; `suffix` is that of their files, beside define.xml."""
    made = [_Told(one) for one in domains if len(one.rows)]
    listed = _listed(made)
    return tuple(_table(one, suffix, listed) for one in made)


def _listed(made: Iterable[_Told]) -> dict[tuple[str, str], set[str]]:
    """The values of each list, by its name and the dataset that it is of, if it is of one."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for one in made:
        for variable in one.domain.variables:
            if key := _key(one.domain, variable):
                found[key] |= one.listed[variable.name]
    return found


def _key(domain: Domain, variable: Variable) -> tuple[str, str] | None:
    """The list of a variable and the dataset whose own it is."""
    listed = "DOMAIN" if variable.name == "DOMAIN" else variable.codelist
    if not listed:
        return None
    return listed, "" if listed in _SHARED else domain.name


def _terms(domain: Domain, variable: Variable, values: Iterable[Value]) -> set[str]:
    """Values that are of a list: a standard result that is a number or a text of its own is not."""
    stated = _texts(values)
    if generic(domain.name, variable.name) != "--STRESC":
        return stated
    known = terminology.known()[variable.codelist or ""].terms
    return {one for one in stated if one in known}


def _table(of: _Told, suffix: str, listed: _Lists) -> Table:
    domain = of.domain
    is_supplemental = domain.name.startswith("SUPP")
    # Without USUBJID a dataset is of the plan of the trial, not of what was found.
    is_reference = "USUBJID" not in domain.names
    return Table(
        name=domain.name,
        label=domain.label,
        domain=domain.name.removeprefix("SUPP") if is_supplemental else domain.name,
        structure=domain.structure,
        klass=CLASSES[domain.klass],
        keys=domain.keys,
        items=tuple(_item(of, one, listed) for one in domain.variables),
        href=f"{domain.name.lower()}.{suffix}",
        standard=SDTMIG.key,
        is_repeating=domain.name != "DM",
        is_reference=is_reference,
    )


def _item(of: _Told, variable: Variable, listed: _Lists) -> Item:
    kind, length, decimals = _measured(of, variable)
    values = tuple(_value_levels(of, variable))
    is_computed = variable.origin == "Derived"
    return Item(
        name=variable.name,
        label=variable.label,
        type=kind,
        length=length,
        decimals=decimals,
        # Where values differ in their origin each says its own.
        origins=() if values else (_origin(variable.origin),),
        codelist=_codelist(of, variable, listed),
        method=(variable.method or "") if is_computed else "",
        comment=_comment(variable, is_computed),
        is_mandatory=variable.core == "Req",
        role=variable.role,
        values=values,
    )


def _comment(variable: Variable, is_computed: bool) -> str:
    """The words on a variable; how one is told that is not derived is a comment on it."""
    said = [variable.comment or "", "" if is_computed else variable.method or ""]
    return " ".join(one for one in said if one)


def _origin(type_: str) -> Origin:
    return Origin(type_, SOURCES[type_])


def _measured(of: _Told, variable: Variable) -> measuring.Measured:
    if variable.type == "Num":
        is_whole = tables.type_of(variable) is Type.INTEGER
        return of.numbers[variable.name].measured(is_whole=is_whole)
    if variable.name.endswith("DTC") and (kind := of.dates[variable.name].kind):
        return kind, None, None
    if variable.name.endswith(("DUR", "ELTM")):
        return "durationDatetime", None, None
    return "text", variable.length, None


def _codelist(of: _Told, variable: Variable, listed: _Lists) -> Codelist | None:
    name, domain = variable.name, of.domain.name
    if name == "COUNTRY":
        return _COUNTRIES
    if key := _key(of.domain, variable):
        return terminology.codelist(key[0], listed[key], of=key[1], decodes=of.decodes[name])
    if name in _OF_TRIAL:
        decodes = of.decodes[name]
        terms = tuple(Term(one, decodes.get(one, one)) for one in sorted(decodes))
        return (
            Codelist(f"{domain}.{name}", f"{_OF_TRIAL[name]} ({domain})", terms) if terms else None
        )
    return None


def _coded(domain: Domain, variable: Variable) -> tuple[str, str] | None:
    """The variables by whose value this one holds other things, and that names it; else none."""
    short = generic(domain.name, variable.name)
    if variable.name == "QVAL":
        return "QNAM", "QLABEL"
    if variable.name == "TSVAL":
        return "TSPARMCD", "TSPARM"
    if domain.klass == "Findings" and short in ("--ORRES", "--STRESN") and domain.name != "IE":
        return f"{domain.name}TESTCD", f"{domain.name}TEST"
    return None


def _units(domain: Domain, variable: Variable) -> str:
    """The variable that tells the units of one that holds results of all tests."""
    return f"{domain.name}ORRESU" if variable.name.endswith("ORRES") else f"{domain.name}STRESU"


def _value_levels(of: _Told, variable: Variable) -> Iterator[ValueLevel]:
    """What a variable is for each code there is a value of."""
    levels = of.levels.get(variable.name, {})
    for one in sorted(levels):
        code, _ = of.coded[variable.name]
        yield ValueLevel(f"{code}.{one}", ((code, one),), _value(of, variable, one, levels[one]))


def _value(of: _Told, variable: Variable, code: str, level: _Level) -> Item:
    if variable.type == "Num":
        kind, length, decimals = level.numbers.measured(is_whole=level.numbers.are_whole)
    else:
        kind, length, decimals = level.texts.measured
    origins = tuple(_origins(of, variable, code, level))
    return Item(
        name=variable.name,
        label=level.label,
        type=kind,
        length=length,
        decimals=decimals,
        origins=origins,
        method=_method(of.domain.name, code, origins),
        comment=_units_said(of, variable, level),
    )


def _origins(of: _Told, variable: Variable, code: str, level: _Level) -> Iterator[Origin]:
    """Where the values of a code come from: a qualifier says so itself, of a test we know."""
    if "QORIG" in of.domain.names:
        yield from map(_origin, sorted(level.origins))
    elif (of.domain.name, code) in derivations.TESTS:
        yield _origin("Derived")
    else:
        yield _origin(variable.origin)


def _method(dataset: str, code: str, origins: Sequence[Origin]) -> str:
    if all(one.type != "Derived" for one in origins):
        return ""
    known = {**derivations.TESTS, **derivations.QUALIFIERS}
    return known.get((dataset, code), derivations.OF_THE_RECORD)


def _units_said(of: _Told, variable: Variable, level: _Level) -> str:
    """The units in which numbers of a test are, since one variable holds those of all."""
    found = sorted(level.units)
    return f"In {', '.join(found)} ({_units(of.domain, variable)})." if found else ""
