"""Monitoring visits at a site, and the action items that are followed up until they are closed."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from trials.models.scope import ScopedModel
from trials.models.trial import Site


class MonitoringVisit(ScopedModel):
    """A visit of a monitor at a site as its report tells it (ICH E6(R3) 3.11.4.6)."""

    class Kind(models.TextChoices):
        INITIATION = "initiation", "Site initiation visit"
        INTERIM = "interim", "Interim monitoring visit"
        FOR_CAUSE = "for_cause", "Visit for cause"
        REMOTE = "remote", "Remote monitoring visit"
        CLOSE_OUT = "close_out", "Close-out visit"

    trial_path = "site__trial_id"
    site_path = "site_id"

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="monitoring_visits")
    kind = models.CharField(max_length=12, choices=Kind)
    held_on = models.DateField()
    # Who was met and who came, by name and function.
    attendees = models.TextField()
    summary = models.TextField()
    # What was found; empty if nothing was.
    findings = models.TextField(blank=True)
    # Counts up with each correction; the trail holds every version.
    version = models.PositiveIntegerField(default=1)
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-held_on", "-pk"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} at {self.site}, {self.held_on}"


class ActionItem(ScopedModel):
    """What somebody has to do after a visit, until when."""

    class State(models.TextChoices):
        OPEN = "open"
        DONE = "done", "Done, to be checked"
        CLOSED = "closed"

    trial_path = "visit__site__trial_id"
    site_path = "visit__site_id"

    visit = models.ForeignKey(MonitoringVisit, on_delete=models.PROTECT, related_name="items")
    number = models.PositiveIntegerField()
    text = models.TextField()
    # Who does it, by name or function.
    owner = models.CharField(max_length=120)
    due_on = models.DateField()
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    raised_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    raised_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["visit", "number"]
        constraints = [
            models.UniqueConstraint(name="action_item_numbered_once", fields=["visit", "number"])
        ]

    def __str__(self) -> str:
        return f"action item {self.number} of {self.visit}"


class ActionItemTurn(ScopedModel):
    """One turn in the follow-up of an action item: what it came to be, and what was said."""

    trial_path = "item__visit__site__trial_id"
    site_path = "item__visit__site_id"

    item = models.ForeignKey(ActionItem, on_delete=models.PROTECT, related_name="turns")
    state = models.CharField(max_length=10, choices=ActionItem.State)
    text = models.TextField()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    written_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["item", "pk"]

    def __str__(self) -> str:
        return self.text[:60]
