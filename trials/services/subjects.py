"""What a query or a deviation is about: any row of the record that belongs to a patient."""

from __future__ import annotations

from functools import reduce

from django.apps import apps
from django.db import models

from trials.models import Patient, ScopedModel


def reference(row: models.Model) -> dict:
    """How a row is pointed at."""
    return {"subject_table": row._meta.db_table, "subject_pk": row.pk}


def patient_of(row: ScopedModel) -> Patient | None:
    """The patient a row is about, by the way to its trial; None for rows of the trial as such."""
    if isinstance(row, Patient):
        return row
    path = row.trial_path.split("__")
    if "patient" not in path:
        return getattr(row, "patient", None)
    return reduce(getattr, path[: path.index("patient") + 1], row)


def found(table: str, pk: int) -> models.Model | None:
    """The row a query or deviation points at."""
    for model in apps.get_models():
        if model._meta.db_table == table:
            return model.objects.filter(pk=pk).first()
    return None
