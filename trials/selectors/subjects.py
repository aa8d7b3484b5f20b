"""What queries, deviations and the trail point at: in words, and as an address."""

from __future__ import annotations

from django.apps import apps
from django.db import models
from django.urls import reverse

from trials.models import Evidence, Injection, ItemValue, ScheduledScan

# Pages that show one row of a table by its key.
PAGES = {
    "trials_patient": "patient",
    "trials_scheduledscan": "scan",
    "trials_eligibilityassessment": "assessment",
    "trials_formentry": "form_entry",
    "trials_query": "query",
    "trials_deviation": "deviation",
    "imaging_transmittal": "transmittal",
    "imaging_series": "series",
}


def tables() -> dict[str, type[models.Model]]:
    """The models of the record by the names of their tables."""
    return {model._meta.db_table: model for model in apps.get_models(include_auto_created=True)}


def name_of(table: str, pk: object) -> str:
    """A row in words: what it is, and its number.

    >>> name_of("trials_scheduledscan", 7)
    'Scheduled scan 7'
    """
    model = tables().get(table)
    words = str(model._meta.verbose_name) if model else table
    return f"{words[:1].upper()}{words[1:]} {pk}"


def address(row: models.Model) -> str:
    """The page that shows a row: its own, else that of its scan, else that of its patient."""
    table = row._meta.db_table
    if table in PAGES:
        return reverse(PAGES[table], args=[row.pk])
    if isinstance(row, ItemValue):
        return f"{reverse('form_entry', args=[row.entry_id])}#item-{row.item}"
    scan = row.along("scheduled_scan")
    if scan is not None:
        return reverse("scan", args=[scan.pk])
    patient = row.along("patient")
    anchor = f"#evidence-{row.pk}" if isinstance(row, Evidence) else ""
    return reverse("patient", args=[patient.pk]) + anchor


def keys_of_scan(scan: ScheduledScan) -> dict[str, list[int]]:
    """Tables and keys of everything that belongs to a scan, for what was said about it."""
    keys = {
        ScheduledScan._meta.db_table: [scan.pk],
        Evidence._meta.db_table: [row.pk for row in scan.evidence.all()],
    }
    injection = getattr(scan, "injection", None)
    if injection is not None:
        keys[Injection._meta.db_table] = [injection.pk]
    for transmittal in scan.transmittals.all():
        keys.setdefault(transmittal._meta.db_table, []).append(transmittal.pk)
        for series in transmittal.series.all():
            keys.setdefault(series._meta.db_table, []).append(series.pk)
    return keys


def about(rows: models.QuerySet, keys: dict[str, list[int]]) -> models.QuerySet:
    """Queries or deviations about any of `keys`."""
    reach = models.Q(pk__in=[])
    for table, pks in keys.items():
        reach |= models.Q(subject_table=table, subject_pk__in=pks)
    return rows.filter(reach)
