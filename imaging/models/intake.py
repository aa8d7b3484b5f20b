"""What arrives: transmittals and their files, from receipt to a verdict."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from trials.models import ScheduledScan, ScopedModel


class Transmittal(ScopedModel):
    """The image files a site sent for one scheduled scan, and how far they have come."""

    class State(models.TextChoices):
        RECEIVING = "receiving"
        RECEIVED = "received"
        INSPECTED = "inspected"
        QUARANTINED = "quarantined", "Quarantined, a person decides"
        REJECTED = "rejected"
        RELEASED = "released"
        ASSEMBLED = "assembled"
        QUANTIFIED = "quantified"

    trial_path = "scheduled_scan__patient__trial_id"
    site_path = "scheduled_scan__patient__site_id"

    scheduled_scan = models.ForeignKey(
        ScheduledScan, on_delete=models.PROTECT, related_name="transmittals"
    )
    state = models.CharField(max_length=15, choices=State, default=State.RECEIVING)
    # Why it stands where it stands, for a person to act on: a code and a sentence.
    code = models.CharField(max_length=60, blank=True)
    message = models.TextField(blank=True)
    sent_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    opened_at = models.DateTimeField(default=timezone.now)
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-opened_at", "-pk"]

    def __str__(self) -> str:
        return f"transmittal {self.pk} for {self.scheduled_scan}"


class ReceivedFile(ScopedModel):
    """One file of a transmittal, known by its digest; its name is never kept.

    File names carry patient names. The sender still has them, and finds a file by digest.
    """

    class State(models.TextChoices):
        RECEIVED = "received"
        ACCEPTED = "accepted"
        QUARANTINED = "quarantined"
        REJECTED = "rejected"
        RELEASED = "released"

    trial_path = "transmittal__scheduled_scan__patient__trial_id"
    site_path = "transmittal__scheduled_scan__patient__site_id"

    transmittal = models.ForeignKey(Transmittal, on_delete=models.PROTECT, related_name="files")
    position = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField()
    state = models.CharField(max_length=15, choices=State, default=State.RECEIVED)
    code = models.CharField(max_length=60, blank=True)
    message = models.TextField(blank=True)
    # Keyed digests of the identified UIDs: enough to notice the same image twice, no more.
    source_instance = models.CharField(max_length=64, blank=True, db_index=True)
    source_series = models.CharField(max_length=64, blank=True)
    source_study = models.CharField(max_length=64, blank=True)
    source_patient = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["transmittal", "position"]
        constraints = [
            models.UniqueConstraint(
                name="file_once_a_transmittal", fields=["transmittal", "sha256"]
            )
        ]

    def __str__(self) -> str:
        return f"file {self.position} of transmittal {self.transmittal_id}"
