"""What was destroyed on a patient's wish."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from trials.models import Patient, ScopedModel


class Destruction(ScopedModel):
    """The images of a patient were destroyed: how many files; the record of them stays."""

    trial_path = "patient__trial_id"
    site_path = "patient__site_id"

    patient = models.OneToOneField(Patient, on_delete=models.PROTECT, related_name="destruction")
    files = models.PositiveIntegerField()
    destroyed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"images of {self.patient} destroyed"
