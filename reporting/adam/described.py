"""The analysis datasets of a trial as define.xml describes them: variables, and AVAL by parameter.

Type, length and terms are those of the rows themselves; a copied variable names its source.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from reporting.adam.finishing import dataset, sas_format
from reporting.adam.specification import COPIED
from reporting.datasets import Type
from reporting.define import Codelist, Item, Origin, Standard, Table, Term, ValueLevel, measuring
from reporting.define.terminology import SDTM_TERMS, codelist
from reporting.sdtm.growing import parts
from reporting.sdtm.model import Domain, Value, Variable

ADAMIG = Standard("ADAMIG", "ADaMIG", "IG", "1.3")
STANDARDS: tuple[Standard, ...] = (ADAMIG, SDTM_TERMS)
SPONSOR = "Sponsor"
# One list for all datasets; of any other each dataset has a list of its own values.
_SHARED = frozenset({"NY"})
_RESULT, _CODE, _NAME = "AVAL", "PARAMCD", "PARAM"
_Columns = Mapping[str, Sequence[Value]]


class _Level:
    """The numbers of one parameter: what it is called, and the variables they are copied from."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.numbers = measuring.Numbers()
        self.sources: set[str] = set()


class _Told:
    """What the rows of a dataset tell of its variables, however many they are."""

    def __init__(self, dataset: Domain) -> None:
        self.dataset = dataset
        self.numbers: dict[str, measuring.Numbers] = defaultdict(measuring.Numbers)
        self.listed: dict[str, set[str]] = defaultdict(set)
        # Variables that some row has no value of.
        self.with_gaps: set[str] = set()
        self.names: dict[Value, Value] = {}
        self.levels: dict[str, _Level] = {}
        for rows in parts(dataset.rows):
            columns = zip(*rows, strict=True)
            self._add(dict(zip(dataset.names, columns, strict=True)))

    def _add(self, columns: _Columns) -> None:
        for variable in self.dataset.variables:
            name, values = variable.name, columns[variable.name]
            if None in values or "" in values:
                self.with_gaps.add(name)
            if variable.type == "Num":
                self.numbers[name].add(_numbers(values))
            if variable.codelist is not None and variable.codelist not in _SHARED:
                self.listed[name] |= {str(one) for one in set(values) if one}
        if _CODE in columns:
            self.names |= zip(columns[_CODE], columns[_NAME], strict=True)
        if _RESULT in columns:
            self._add_levels(columns)

    def _add_levels(self, columns: _Columns) -> None:
        rows: dict[str, list[int]] = defaultdict(list)
        for place, (code, value) in enumerate(zip(columns[_CODE], columns[_RESULT], strict=True)):
            if value is not None:
                rows[str(code)].append(place)
        for code, places in rows.items():
            level = self.levels.setdefault(code, _Level(str(columns[_NAME][places[0]])))
            level.numbers.add(_numbers(columns[_RESULT][row] for row in places))
            level.sources |= {
                f"{columns['SRCDOM'][row]}.{columns['SRCVAR'][row]}" for row in places
            }


def described(datasets: Iterable[Domain], suffix: str) -> tuple[Table, ...]:
    """The datasets that have rows; `suffix` is that of their files, beside define.xml."""
    return tuple(_table(_Told(one), suffix) for one in datasets if len(one.rows))


def _table(told: _Told, suffix: str) -> Table:
    of = told.dataset
    types = {one.name: one.type for one in dataset(of).columns}
    return Table(
        name=of.name,
        label=of.label,
        domain=of.name,
        structure=of.structure,
        klass=of.klass,
        keys=of.keys,
        items=tuple(_item(told, one, types[one.name]) for one in of.variables),
        href=f"{of.name.lower()}.{suffix}",
        standard=ADAMIG.key,
        purpose="Analysis",
        is_repeating=of.name != "ADSL",
    )


def _item(told: _Told, variable: Variable, type_: Type) -> Item:
    kind, length, decimals = _measured(told, variable, type_)
    is_copy = variable.origin == COPIED
    return Item(
        name=variable.name,
        label=variable.label,
        type=kind,
        length=length,
        decimals=decimals,
        origins=(_origin(variable),),
        codelist=_codelist(told, variable),
        method="" if is_copy or variable.origin == "Assigned" else variable.method or "",
        comment=variable.comment or "",
        is_mandatory=variable.core == "Req" and variable.name not in told.with_gaps,
        display_format=sas_format(variable),
        values=tuple(_by_parameter(told)) if variable.name == _RESULT else (),
    )


def _origin(variable: Variable) -> Origin:
    if variable.origin == COPIED:
        return Origin(COPIED, text=variable.method or "")
    return Origin(variable.origin, SPONSOR)


def _measured(told: _Told, variable: Variable, type_: Type) -> measuring.Measured:
    if variable.type == "Num":
        return told.numbers[variable.name].measured(is_whole=type_ is Type.INTEGER)
    return "text", variable.length, None


def _numbers(values: Iterable[Value]) -> Iterator[float]:
    return (one for one in values if isinstance(one, int | float))


def _codelist(told: _Told, variable: Variable) -> Codelist | None:
    name = told.dataset.name
    if variable.name == _CODE:
        terms = tuple(Term(str(one), str(told.names[one])) for one in sorted(map(str, told.names)))
        return Codelist(f"{name}.{_CODE}", f"Parameters of {name}", terms)
    if variable.codelist is None:
        return None
    is_shared = variable.codelist in _SHARED
    stated = told.listed[variable.name]
    if not stated and not is_shared:
        return None
    owner = "" if is_shared else f"{name}.{variable.name}"
    return codelist(variable.codelist, stated, of=owner)


def _by_parameter(told: _Told) -> Iterator[ValueLevel]:
    """AVAL for each parameter that has numbers."""
    for code in sorted(told.levels):
        yield ValueLevel(f"{_CODE}.{code}", ((_CODE, code),), _value(told.levels[code]))


def _value(level: _Level) -> Item:
    kind, length, decimals = level.numbers.measured(is_whole=level.numbers.are_whole)
    return Item(
        name=_RESULT,
        label=level.label,
        type=kind,
        length=length,
        decimals=decimals,
        origins=tuple(Origin(COPIED, text=one) for one in sorted(level.sources)),
    )
