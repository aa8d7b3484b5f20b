"""Domains as tables for the writers of files."""

from __future__ import annotations

from reporting.datasets import Column, Dataset, Privacy, Type
from reporting.sdtm.model import Domain, Variable

_WHOLE = ("SEQ", "DY", "VISITNUM", "TAETORD", "AGE")


def dataset(domain: Domain) -> Dataset:
    """A domain as a dataset: numbers are numbers, all else text, dates among it."""
    return Dataset(
        name=domain.name,
        label=domain.label,
        domain=domain.name,
        grain=domain.structure,
        table=f"SDTM {domain.name}",
        keys=domain.keys,
        columns=tuple(_column(one) for one in domain.variables),
    )


def type_of(variable: Variable) -> Type:
    """Whether a variable is a text, a whole number or any number."""
    if variable.type == "Char":
        return Type.TEXT
    return Type.INTEGER if variable.name.endswith(_WHOLE) else Type.NUMBER


def _column(variable: Variable) -> Column:
    return Column(variable.name, variable.label, type_of(variable), Privacy.HEALTH)
