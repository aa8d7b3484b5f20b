"""What a series was found not to conform in, and who let it pass."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from imaging.models.dicom import Series
from trials.conformance_rules import Severity
from trials.models import ScopedModel


class ConformanceFinding(ScopedModel):
    """One rule that a series does not keep, with the values compared. A newer one supersedes it."""

    trial_path = "series__imaging_study__scheduled_scan__patient__trial_id"
    site_path = "series__imaging_study__scheduled_scan__patient__site_id"

    series = models.ForeignKey(Series, on_delete=models.PROTECT, related_name="findings")
    rule = models.CharField(max_length=60)
    severity = models.CharField(
        max_length=10, choices=[(one.value, one.value.capitalize()) for one in Severity]
    )
    text = models.TextField()
    values = models.JSONField(default=dict)
    # What it proposes for the analysis populations.
    population = models.CharField(max_length=80, blank=True)
    is_current = models.BooleanField(default=True)
    found_at = models.DateTimeField(default=timezone.now)
    # A person may let it pass, with a reason; it stays a finding.
    override_reason = models.CharField(max_length=400, blank=True)
    overridden_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    overridden_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["series", "rule", "-found_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                name="finding_once", fields=["series", "rule"], condition=Q(is_current=True)
            ),
            models.CheckConstraint(
                name="override_has_person_and_reason",
                condition=Q(overridden_by__isnull=True, override_reason="")
                | Q(overridden_by__isnull=False) & ~Q(override_reason=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule} of {self.series}"

    @property
    def blocks(self) -> bool:
        """Whether it keeps the series from being measured."""
        return (
            self.is_current and self.severity == Severity.BLOCKING and self.overridden_by_id is None
        )
