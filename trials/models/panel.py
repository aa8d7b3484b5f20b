"""The truth panel, and when it learned what the index test showed."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from trials.models.patient import Patient
from trials.models.scope import ScopedModel


class PanelUnblinding(ScopedModel):
    """That the panel is told of a patient's index test; what it decides later is named."""

    trial_path = "patient__trial_id"
    site_path = "patient__site_id"

    patient = models.OneToOneField(
        Patient, on_delete=models.PROTECT, related_name="panel_unblinding"
    )
    reason = models.CharField(max_length=400)
    unblinded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    unblinded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["patient"]

    def __str__(self) -> str:
        return f"unblinding of the panel for {self.patient}"
