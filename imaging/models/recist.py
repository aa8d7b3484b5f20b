"""Lesions on CT as a reader measures them for RECIST, beside the PET that is measured here."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from imaging import reading_terms
from imaging.models.read import Read
from imaging.response import recist_lesions
from trials.models import ScopedModel

STATES = dict(pair for pairs in recist_lesions.STATES.values() for pair in pairs)
_PATIENT = "quantification__series__imaging_study__scheduled_scan__patient"


class RecistLesion(ScopedModel):
    """One lesion on CT of one read, typed in by its reader and signed with the read.

    A name that the reader took out of a draft again has no state.
    """

    trial_path = f"read__{_PATIENT}__trial_id"
    site_path = f"read__{_PATIENT}__site_id"

    read = models.ForeignKey(Read, on_delete=models.PROTECT, related_name="recist_lesions")
    # T1 to T5, N1 to N10, X1 to X5.
    lesion = models.CharField(max_length=3)
    region = models.CharField(max_length=30, choices=reading_terms.REGIONS, blank=True)
    state = models.CharField(max_length=15, choices=list(STATES.items()), blank=True)
    # Longest diameter, of a lymph node the short axis; of a measured target alone.
    diameter_mm = models.FloatField(null=True)
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["read", "pk"]
        constraints = [
            models.UniqueConstraint(name="one_recist_lesion_of_a_name", fields=["read", "lesion"]),
            models.CheckConstraint(
                name="recist_length_is_of_a_measured_target",
                condition=(Q(diameter_mm=None) & ~Q(state="measured"))
                | Q(diameter_mm__gt=0, state="measured"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.lesion} of {self.read}"
