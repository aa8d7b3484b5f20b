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


def _column(variable: Variable) -> Column:
    if variable.type == "Char":
        type_ = Type.TEXT
    else:
        type_ = Type.INTEGER if variable.name.endswith(_WHOLE) else Type.NUMBER
    return Column(variable.name, variable.label, type_, Privacy.HEALTH)
