"""What a person decided about a series: its SUV, or that it is the one that counts."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from imaging.models.dicom import Series
from trials.models import ScopedModel


class SuvDecision(ScopedModel):
    """The candidate of a series holds, by a person and for a reason, on these very images."""

    trial_path = "series__imaging_study__scheduled_scan__patient__trial_id"
    site_path = "series__imaging_study__scheduled_scan__patient__site_id"

    series = models.ForeignKey(Series, on_delete=models.PROTECT, related_name="suv_decisions")
    # The first doubt it settles, and the digest of what was decided on: the images, the factors
    # of the candidate, every doubt about it. Of an earlier release, the digest of the images.
    code = models.CharField(max_length=60)
    input_sha256 = models.CharField(max_length=64)
    reason = models.CharField(max_length=400)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    decided_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["series", "-decided_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                name="doubt_decided_once", fields=["series", "code", "input_sha256"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.code} of {self.series} accepted"


class CountingDecision(ScopedModel):
    """Of several PET series of a scan this one counts, by a person and for a reason.

    It holds as long as these very series are there to choose from.
    """

    trial_path = "series__imaging_study__scheduled_scan__patient__trial_id"
    site_path = "series__imaging_study__scheduled_scan__patient__site_id"

    series = models.ForeignKey(Series, on_delete=models.PROTECT, related_name="counting_decisions")
    # The keys of the series that it was chosen among.
    among = models.JSONField()
    reason = models.CharField(max_length=400)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    decided_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["series", "-decided_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.series} counts"
