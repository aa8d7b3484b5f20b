"""Images of another person that reached the trial."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from imaging.models.intake import Transmittal
from trials.models import ScopedModel, Site


class PrivacyIncident(ScopedModel):
    """Somebody's images came, or may have come, to a trial that the person is not part of.

    Known to the minute, because the law counts hours from there; judged, contained, closed.
    Its texts name nobody.
    """

    class State(models.TextChoices):
        OPEN = "open"
        CLOSED = "closed"

    class Notification(models.TextChoices):
        UNDECIDED = "undecided", "Not decided yet"
        NONE = "none", "Nobody has to be notified"
        AUTHORITY = "authority", "The supervisory authority"
        PERSONS = "persons", "The supervisory authority and the person concerned"

    trial_path = "site__trial_id"
    site_path = "site_id"
    patient_path = "transmittal__scheduled_scan__patient"

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="privacy_incidents")
    transmittal = models.ForeignKey(
        Transmittal, on_delete=models.PROTECT, related_name="privacy_incidents"
    )
    # The rule that found it; empty when a person reported it.
    code = models.CharField(max_length=60, blank=True)
    text = models.TextField()
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    found_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    found_at = models.DateTimeField(default=timezone.now)
    notification = models.CharField(
        max_length=10, choices=Notification, default=Notification.UNDECIDED
    )
    # Why, and when whom: the reference of a letter, the day it went out.
    basis = models.TextField(blank=True)
    notified_on = models.DateField(null=True, blank=True)
    judged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    judged_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    closed_at = models.DateTimeField(null=True, blank=True)
    # What was done so that it does not happen again.
    measures = models.TextField(blank=True)

    class Meta:
        ordering = ["-found_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                name="incident_once_a_rule",
                fields=["transmittal", "code"],
                condition=~models.Q(code=""),
            )
        ]

    def __str__(self) -> str:
        return f"privacy incident {self.pk}"
