"""Submissions: what standards make of the operational datasets, from the same instant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType

from reporting import csvtext
from reporting.datasets import Column, Privacy, Type
from reporting.sdtm.model import Domain
from reporting.services.bundle import Standard
from trials.models import Trial

DOMAIN_COLUMNS = tuple(
    Column(name, label, type_, Privacy.TECHNICAL)
    for name, label, type_ in (
        ("domain", "Domain", Type.TEXT),
        ("label", "Label", Type.TEXT),
        ("class", "Class", Type.TEXT),
        ("structure", "Structure", Type.TEXT),
        ("keys", "Variables that tell its records apart", Type.TEXT),
        ("records", "Records; a domain without any is left out of the submission", Type.INTEGER),
    )
)


def made(name: str, trial: Trial, as_of: datetime) -> Standard:
    """The tables of a standard, read within the transaction of whoever asks."""
    return _MAKERS[name](trial, as_of)


def _sdtm(trial: Trial, as_of: datetime) -> Standard:
    # What makes submissions takes time and memory to load: only for whom it makes one.
    from reporting.sdtm import domains
    from reporting.sdtm.tables import dataset
    from reporting.selectors import sdtm

    found = domains(sdtm.source(trial, as_of))
    return Standard(
        name="sdtm",
        tables=[(dataset(one), one.rows) for one in found if one.rows],
        texts=[("sdtm/domains.csv", "Domains, those without records too", _list(found))],
    )


def _list(domains: tuple[Domain, ...]) -> Iterator[bytes]:
    rows = (
        (one.name, one.label, one.klass, one.structure, " ".join(one.keys), len(one.rows))
        for one in domains
    )
    return csvtext.lines(DOMAIN_COLUMNS, rows)


_MAKERS: Mapping[str, Callable[[Trial, datetime], Standard]] = MappingProxyType({"sdtm": _sdtm})
