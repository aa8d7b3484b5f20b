"""What a reader says of a measured series: which regions are lesions, where they are, signed."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from imaging import reading_terms
from imaging.models.quantification import (
    Lesion,
    MeasuredRegion,
    Quantification,
    ReferenceRegion,
)
from trials.models import ScopedModel
from trials.segmentation_methods import DRAWN, PLACED

_PATIENT = "quantification__series__imaging_study__scheduled_scan__patient"


class Read(ScopedModel):
    """One reader's read of one run; once signed it stands as it is, until one supersedes it."""

    class State(models.TextChoices):
        DRAFT = "draft"
        SIGNED = "signed"
        # The series was measured again before it was signed.
        OVERTAKEN = "overtaken"

    trial_path = f"{_PATIENT}__trial_id"
    site_path = f"{_PATIENT}__site_id"

    quantification = models.ForeignKey(
        Quantification, on_delete=models.PROTECT, related_name="reads"
    )
    reader = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="reads"
    )
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    # Read by who settles what the readers of the scan differ in; never one of their reads.
    is_adjudication = models.BooleanField(default=False)
    opened_at = models.DateTimeField(default=timezone.now)
    signed_at = models.DateTimeField(null=True)
    superseded_by = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, related_name="supersedes"
    )
    # What it found holds no more, and why; it does not come back when its series does.
    ended_at = models.DateTimeField(null=True)
    ended_because = models.CharField(max_length=200, blank=True)
    # Regions grown in the read before that can't be grown again on this run, and why.
    not_carried = models.JSONField(default=list)

    class Meta:
        ordering = ["quantification", "pk"]
        constraints = [
            models.UniqueConstraint(
                name="one_draft_per_reader",
                fields=["quantification", "reader"],
                condition=Q(state="draft"),
            ),
            models.UniqueConstraint(
                name="one_standing_read_per_reader",
                fields=["quantification", "reader"],
                condition=Q(state="signed", superseded_by=None),
            ),
            models.CheckConstraint(
                name="signed_read_has_its_time",
                condition=Q(state="signed", signed_at__isnull=False)
                | (~Q(state="signed") & Q(signed_at=None, superseded_by=None)),
            ),
            models.CheckConstraint(
                name="ended_read_says_why",
                condition=Q(ended_at=None, ended_because="")
                | (Q(ended_at__isnull=False, state="signed") & ~Q(ended_because="")),
            ),
        ]

    def __str__(self) -> str:
        return f"read {self.pk} of {self.quantification}"


class GrownLesion(MeasuredRegion):
    """A region that a reader grew from a click, measured as the run's own regions are."""

    trial_path = f"read__{_PATIENT}__trial_id"
    site_path = f"read__{_PATIENT}__site_id"

    read = models.ForeignKey(Read, on_delete=models.PROTECT, related_name="grown_lesions")
    # Plane, row, column that was clicked, and the same place in the patient's frame, mm (LPS); of
    # a drawing its hottest voxel.
    clicked_voxel = models.JSONField()
    clicked_mm = models.JSONField()
    # Method and numbers, as `trials.segmentation_methods` gives them of a click, a placed shape or
    # a drawing, and what they came to.
    parameters = models.JSONField()
    threshold = models.FloatField()
    # The SUV that the threshold was computed from, by name, g/mL.
    came_to = models.JSONField(default=dict)
    # A voxel hotter than the maximum that the threshold is a part of: it may have leaked.
    holds_hotter = models.BooleanField()
    grown_at = models.DateTimeField(default=timezone.now)
    # The region of an earlier read that this one is, grown again from the same place.
    grown_from = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="grown_again"
    )

    class Meta:
        ordering = ["read", "pk"]

    @property
    def quantification(self) -> Quantification:
        return self.read.quantification

    @property
    def is_placed(self) -> bool:
        """Whether a shape was placed, not a click grown."""
        return self.parameters["method"] == PLACED

    @property
    def is_drawn(self) -> bool:
        """Whether it was drawn by hand."""
        return self.parameters["method"] == DRAWN

    def __str__(self) -> str:
        return f"grown region {self.pk} of {self.read}"


class GrownMirrorImage(ScopedModel):
    """Normal brain that a grown region is compared with, or why there is none.

    As a reference region it would be seen by the other readers of the scan: it is of its read.
    """

    trial_path = f"grown__read__{_PATIENT}__trial_id"
    site_path = f"grown__read__{_PATIENT}__site_id"

    kind = "contralateral_brain"

    grown = models.OneToOneField(GrownLesion, on_delete=models.PROTECT, related_name="mirror_image")
    # Of one that was refused: a stable code, and the sentence.
    code = models.CharField(max_length=60, blank=True)
    message = models.TextField(blank=True)
    # As of a reference region that is a mirror image.
    plane = models.JSONField(null=True)
    centre_mm = models.JSONField(null=True)
    voxel_count = models.PositiveIntegerField(null=True)
    volume_ml = models.FloatField(null=True)
    suvmean = models.FloatField(null=True)
    suv_sd = models.FloatField(null=True)
    looked_for_at = models.DateTimeField(default=timezone.now)
    # When the reader of the read stood for it.
    accepted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["grown"]
        constraints = [
            models.CheckConstraint(
                name="grown_mirror_image_or_why_not",
                condition=Q(
                    code="",
                    plane__isnull=False,
                    centre_mm__isnull=False,
                    voxel_count__isnull=False,
                    volume_ml__isnull=False,
                    suvmean__isnull=False,
                    suvmean__gt=0,
                    suv_sd__isnull=False,
                )
                | (~Q(code="") & Q(suvmean=None, accepted_at=None)),
            ),
        ]

    @property
    def is_found(self) -> bool:
        """Whether there is one."""
        return not self.code

    @property
    def is_proposed(self) -> bool:
        """Whether its reader has yet to stand for it."""
        return self.is_found and self.accepted_at is None

    def get_status_display(self) -> str:
        """As of a reference region."""
        words = ReferenceRegion.Status
        return str((words.PROPOSED if self.is_proposed else words.ACCEPTED).label)

    def get_kind_display(self) -> str:
        """As of a reference region."""
        return str(ReferenceRegion.Kind(self.kind).label)

    def __str__(self) -> str:
        return f"mirror image of {self.grown}"


class LesionRead(ScopedModel):
    """What one read says of one region: lesion or not, where, how it looks.

    The region is the run's own, or one that the reader grew; grown in place of the run's own it is
    both, and the grown one counts.
    """

    class Decision(models.TextChoices):
        UNDECIDED = "undecided"
        ACCEPTED = "accepted", "Lesion"
        EXCLUDED = "excluded", "Not a lesion"

    class Positivity(models.TextChoices):
        NOT_STATED = "not_stated", "Not stated"
        POSITIVE = "positive", "Above the reference"
        NEGATIVE = "negative", "Not above the reference"

    trial_path = f"read__{_PATIENT}__trial_id"
    site_path = f"read__{_PATIENT}__site_id"

    read = models.ForeignKey(Read, on_delete=models.PROTECT, related_name="lesion_reads")
    number = models.PositiveIntegerField()
    lesion = models.ForeignKey(Lesion, on_delete=models.PROTECT, null=True, related_name="reads")
    grown = models.OneToOneField(GrownLesion, on_delete=models.PROTECT, null=True)
    decision = models.CharField(max_length=10, choices=Decision, default=Decision.UNDECIDED)
    # Of an excluded region: whose uptake it is, and why it is no lesion.
    organ = models.CharField(max_length=30, choices=reading_terms.ORGANS, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    # Of a lesion: where it lies, and how it looks beside the reference region.
    region = models.CharField(max_length=30, choices=reading_terms.REGIONS, blank=True)
    positivity = models.CharField(max_length=10, choices=Positivity, default=Positivity.NOT_STATED)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["read", "number"]
        constraints = [
            models.UniqueConstraint(name="read_number_once", fields=["read", "number"]),
            models.UniqueConstraint(name="lesion_read_once", fields=["read", "lesion"]),
            models.CheckConstraint(
                name="read_of_a_region",
                condition=Q(lesion__isnull=False) | Q(grown__isnull=False),
            ),
            models.CheckConstraint(
                name="exclusion_has_organ_and_reason",
                condition=~Q(decision="excluded") | (~Q(organ="") & ~Q(reason="")),
            ),
        ]

    def __str__(self) -> str:
        return f"region {self.number} of {self.read}"

    @property
    def measured(self) -> MeasuredRegion:
        """The region whose numbers count: what the reader grew, else the run's own."""
        return self.grown or self.lesion
