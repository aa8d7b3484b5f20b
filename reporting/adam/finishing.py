"""From rows to datasets: every variable has a value, and none is dropped; and tables of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from reporting.adam.parameters import LONGEST_CODE
from reporting.adam.specification import Specification
from reporting.datasets import Column, Dataset, Privacy, Type
from reporting.sdtm.growing import Growing
from reporting.sdtm.model import Domain, Keep, MappingError, Variable

# What tells records apart, besides study and patient.
KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "ADSL": (),
        "ADTR": ("PARAMCD", "LESID", "ADTM", "ASEQ"),
        "ADPET": ("PARAMCD", "ADTM", "ASEQ"),
    }
)
# Work values of whoever makes a row, and no variables.
INNER = frozenset({"flags"})
DATE, MOMENT = "DATE9.", "DATETIME20."
_WHOLE = ("SEQ", "ADY", "AGE", "AVISITN", "APERIOD")


class Finishing:
    """A dataset that rows are added to, those of some patients at a time."""

    def __init__(self, of: Specification, keep: Keep = list) -> None:
        self._of, self._names = of, {*of.names, *INNER}
        self._grown = Growing(of, ("STUDYID", "USUBJID", *KEYS[of.name]), keep)
        self._parameters: dict[str, str] = {}

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add rows in their order.

        Raises
        ------
        MappingError
            When a row has a value that the dataset has no variable for.
        """
        some = list(rows)
        for row in some:
            if unknown := sorted(row.keys() - self._names):
                raise MappingError(f"{self._of.name} has no variable {', '.join(unknown)}")
            self._check_parameter(row)
        self._grown.add(some)

    def _check_parameter(self, row: Mapping[str, Any]) -> None:
        """Refuse a code that is too long, or that stands for two parameters."""
        code, parameter = row.get("PARAMCD", ""), row.get("PARAM", "")
        known = self._parameters.setdefault(code, parameter)
        if len(code) > LONGEST_CODE or known != parameter:
            raise MappingError(
                f"{self._of.name}: PARAMCD {code} of {parameter!r} is too long, or is {known!r} "
                "too. Give it another in reporting/adam/parameters.py"
            )

    def finished(self) -> Domain:
        """The dataset with its rows, and each variable as long as its longest value."""
        return self._grown.finished()


def finished(of: Specification, rows: Iterable[Mapping[str, Any]]) -> Domain:
    """A dataset of these rows; see `Finishing`."""
    made = Finishing(of)
    made.add(rows)
    return made.finished()


def dataset(domain: Domain) -> Dataset:
    """An analysis dataset for the writers of files: dates are numbers with a format of SAS."""
    return Dataset(
        name=domain.name,
        label=domain.label,
        domain=domain.name,
        grain=domain.structure,
        table=f"ADaM {domain.name}",
        keys=domain.keys,
        columns=tuple(_column(one) for one in domain.variables),
    )


def sas_format(variable: Variable) -> str:
    """The format of a date or datetime; empty of what is neither."""
    if variable.type != "Num":
        return ""
    if variable.name.endswith("DTM"):
        return MOMENT
    return DATE if variable.name.endswith("DT") else ""


def _column(variable: Variable) -> Column:
    written_as = sas_format(variable)
    if variable.type == "Char":
        type_ = Type.TEXT
    elif written_as or variable.name.endswith(_WHOLE):
        type_ = Type.INTEGER
    else:
        type_ = Type.NUMBER
    return Column(variable.name, variable.label, type_, Privacy.HEALTH, sas_format=written_as)
