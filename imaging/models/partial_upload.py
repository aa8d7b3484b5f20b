"""A large file on its way, in pieces."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from imaging.models.intake import Transmittal
from trials.models import ScopedModel


class PartialUpload(ScopedModel):
    """One large file of a transmittal that comes in pieces, known by the digest of the whole.

    How much of it has come is what lies on the disk; nothing of it is a received file before it
    is whole and has that digest. Its name is never kept.
    """

    class State(models.TextChoices):
        RECEIVING = "receiving"
        RECEIVED = "received"
        REFUSED = "refused"
        EXPIRED = "expired", "Given up, nothing came for a day"

    trial_path = "transmittal__site__trial_id"
    site_path = "transmittal__site_id"
    patient_path = "transmittal__scheduled_scan__patient"

    transmittal = models.ForeignKey(
        Transmittal, on_delete=models.PROTECT, related_name="partial_uploads"
    )
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField()
    state = models.CharField(max_length=15, choices=State, default=State.RECEIVING)
    opened_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    opened_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["transmittal", "pk"]
        constraints = [
            models.UniqueConstraint(
                name="partial_upload_once_a_transmittal", fields=["transmittal", "sha256"]
            )
        ]

    def __str__(self) -> str:
        return f"large file {self.pk} of transmittal {self.transmittal_id}"
