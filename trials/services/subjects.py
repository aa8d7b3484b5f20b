"""What a query or a deviation is about: any row of the record that belongs to a patient."""

from __future__ import annotations

from django.apps import apps
from django.db import models

from trials.models import Patient, ScopedModel, ScopedQuerySet
from trials.services.errors import Invalid


def reference(row: models.Model) -> dict:
    """How a row is pointed at."""
    return {"subject_table": row._meta.db_table, "subject_pk": row.pk}


def patient_of(row: ScopedModel) -> Patient | None:
    """The patient a row is about; None for rows of the trial as such."""
    return row if isinstance(row, Patient) else row.along("patient")


def rows_of(table: str) -> ScopedQuerySet:
    """The rows of a table that belong to patients; raises Invalid for any other table."""
    for model in apps.get_models():
        if model._meta.db_table == table and _belongs_to_patients(model):
            return model.objects.all()
    raise Invalid(
        "subject_table", f"Name a table of patients' records, as trials_patient; got {table!r}."
    )


def _belongs_to_patients(model: type[models.Model]) -> bool:
    if not issubclass(model, ScopedModel):
        return False
    return model is Patient or model.is_of_patients()


def found(table: str, pk: int) -> models.Model | None:
    """The row a query or deviation points at."""
    for model in apps.get_models():
        if model._meta.db_table == table:
            return model.objects.filter(pk=pk).first()
    return None
