"""Which lesion of one scan is which of another, as a reader said it and signed."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from imaging import reading_terms
from imaging.models.read import LesionRead, Read
from trials.models import ScopedModel

_PATIENT = "first__quantification__series__imaging_study__scheduled_scan__patient"


class LesionComparison(ScopedModel):
    """One reader's comparison of the lesions of two signed reads of one patient.

    Across tracers, or of one tracer across time: the first is then the earlier.
    """

    class Kind(models.TextChoices):
        TRACERS = "tracers", "Two tracers"
        TIMES = "times", "Two times of one tracer"

    class State(models.TextChoices):
        DRAFT = "draft"
        SIGNED = "signed"
        # One of its reads no longer stands, or its series was measured again, before it was signed.
        OVERTAKEN = "overtaken"

    trial_path = f"{_PATIENT}__trial_id"
    site_path = f"{_PATIENT}__site_id"

    kind = models.CharField(max_length=10, choices=Kind)
    first = models.ForeignKey(Read, on_delete=models.PROTECT, related_name="compared_as_first")
    second = models.ForeignKey(Read, on_delete=models.PROTECT, related_name="compared_as_second")
    reader = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="comparisons"
    )
    # The rigid motion that lays the second scan on the first, `matrix` and `offset_mm`, and how it
    # was found; empty where both are in one frame of reference.
    shift = models.JSONField(default=dict)
    shift_how = models.CharField(max_length=200, blank=True)
    # When two lesions were proposed as one.
    parameters = models.JSONField()
    software_version = models.CharField(max_length=40)
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    proposed_at = models.DateTimeField(default=timezone.now)
    signed_at = models.DateTimeField(null=True)
    superseded_by = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, related_name="supersedes"
    )

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                name="one_draft_comparison", fields=["first", "second"], condition=Q(state="draft")
            ),
            models.UniqueConstraint(
                name="one_standing_comparison",
                fields=["first", "second"],
                condition=Q(state="signed", superseded_by=None),
            ),
            models.CheckConstraint(
                name="compared_with_another", condition=~Q(first=models.F("second"))
            ),
            models.CheckConstraint(
                name="signed_comparison_has_its_time",
                condition=Q(state="signed", signed_at__isnull=False)
                | (~Q(state="signed") & Q(signed_at=None, superseded_by=None)),
            ),
        ]

    def __str__(self) -> str:
        return f"comparison {self.pk}"


class LesionPair(ScopedModel):
    """One place of disease in a comparison: a lesion of each scan, or of one of them alone.

    Other parts of a split or merged lesion stand by their numbers in the read.
    """

    class Outcome(models.TextChoices):
        BOTH = "both", "In both"
        FIRST_ONLY = "first-only", "In the first alone"
        SECOND_ONLY = "second-only", "In the second alone"
        NOT_COVERED = "not-covered", "Outside the other scan"

    class MatchedBy(models.TextChoices):
        OVERLAP = "overlap", "Shared volume"
        DISTANCE = "distance", "Distance"
        READER = "reader", "Reader"

    class Status(models.TextChoices):
        PROPOSED = "proposed"
        CONFIRMED = "confirmed"
        # Another pair took its place, or several.
        REJECTED = "rejected"

    trial_path = f"comparison__{_PATIENT}__trial_id"
    site_path = f"comparison__{_PATIENT}__site_id"

    comparison = models.ForeignKey(LesionComparison, on_delete=models.PROTECT, related_name="pairs")
    number = models.PositiveIntegerField()
    first = models.ForeignKey(
        LesionRead, on_delete=models.PROTECT, null=True, related_name="paired_as_first"
    )
    second = models.ForeignKey(
        LesionRead, on_delete=models.PROTECT, null=True, related_name="paired_as_second"
    )
    first_parts = models.JSONField(default=list)
    second_parts = models.JSONField(default=list)
    outcome = models.CharField(max_length=12, choices=Outcome)
    matched_by = models.CharField(max_length=10, choices=MatchedBy, blank=True)
    # Of the two named lesions; a reader's own match has no shared volume measured.
    shared_ml = models.FloatField(null=True)
    dice = models.FloatField(null=True)
    distance_mm = models.FloatField(null=True)
    region = models.CharField(max_length=30, choices=reading_terms.REGIONS, blank=True)
    # The two reads give the lesion two regions: the reader chooses.
    regions_differ = models.BooleanField(default=False)
    status = models.CharField(max_length=10, choices=Status, default=Status.PROPOSED)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["comparison", "number"]
        constraints = [
            models.UniqueConstraint(name="pair_once", fields=["comparison", "number"]),
            models.CheckConstraint(
                name="pair_of_a_lesion",
                condition=Q(first__isnull=False) | Q(second__isnull=False),
            ),
            models.CheckConstraint(
                name="pair_in_both_has_both",
                condition=Q(outcome="both", first__isnull=False, second__isnull=False)
                | (~Q(outcome="both") & (Q(first=None) | Q(second=None))),
            ),
        ]

    def __str__(self) -> str:
        return f"pair {self.number} of {self.comparison}"
