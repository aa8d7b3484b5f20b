"""What was proved of a series before it was released."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from imaging.models.dicom import Series
from imaging.models.intake import Transmittal
from trials.models import ScopedModel


class DeidentificationProof(ScopedModel):
    """One proof that what a transmittal brought of a series is what it was, and names nobody.

    Where one fails nothing is released; so one that is not held was not made, and says why.
    """

    class Kind(models.TextChoices):
        PIXELS = "pixels", "Pixels, rescale and geometry unchanged"
        SUV_FACTOR = "suv_factor", "SUV factor unchanged"
        IDENTIFIERS = "identifiers", "No identifier in any byte"
        SECOND_PARSER = "second_parser", "Second parser finds nothing beyond the keep-list"
        KEEP_LIST = "keep_list", "Nothing beyond the keep-list, all dates moved alike"

    trial_path = "series__imaging_study__scheduled_scan__patient__trial_id"
    site_path = "series__imaging_study__scheduled_scan__patient__site_id"

    series = models.ForeignKey(Series, on_delete=models.PROTECT, related_name="proofs")
    transmittal = models.ForeignKey(Transmittal, on_delete=models.PROTECT, related_name="proofs")
    kind = models.CharField(max_length=20, choices=Kind)
    is_held = models.BooleanField()
    # A sentence with what was compared: no value of the original's.
    detail = models.TextField()
    table_version = models.CharField(max_length=60)
    software_version = models.CharField(max_length=40)
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["series", "transmittal", "pk"]
        constraints = [
            models.UniqueConstraint(
                name="proof_once_a_transmittal", fields=["series", "transmittal", "kind"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {'holds' if self.is_held else 'not made'}"
