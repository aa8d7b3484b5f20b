"""What was measured: each run with everything it was computed from."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from imaging import peaks
from imaging.models.dicom import Instance, Series
from trials.models import ScopedModel


class Quantification(ScopedModel):
    """One run of SUV and lesion measurement on a series. A new run supersedes, none is edited."""

    class Status(models.TextChoices):
        COMPUTED = "computed"
        FLAGGED = "flagged", "Computed, flagged"
        # A person may decide about the candidate in the derivation; till then no number.
        REVIEW = "review", "For review"
        REFUSED = "refused"

    trial_path = "series__imaging_study__scheduled_scan__patient__trial_id"
    site_path = "series__imaging_study__scheduled_scan__patient__site_id"

    series = models.ForeignKey(Series, on_delete=models.PROTECT, related_name="quantifications")
    run = models.PositiveIntegerField()
    is_current = models.BooleanField(default=True)
    status = models.CharField(max_length=10, choices=Status)
    code = models.CharField(max_length=60, blank=True)
    message = models.TextField(blank=True)
    flags = models.JSONField(default=list)
    suvbw_factor = models.FloatField(null=True)
    suvmax = models.FloatField(null=True)
    uptake_minutes = models.FloatField(null=True)
    # Method and numbers of the segmentation, as the protocol version gave them.
    parameters = models.JSONField(default=dict)
    # The SUV derivation: policy, witnesses, every input with tag, value and unit.
    derivation = models.JSONField(default=dict)
    # SHA-256 over the sorted digests of the instances it was computed from.
    input_sha256 = models.CharField(max_length=64)
    # The version of the recorded injection it was computed beside; 0 is none, None not known.
    record_version = models.PositiveIntegerField(null=True, blank=True)
    software_version = models.CharField(max_length=40)
    computed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["series", "-run"]
        constraints = [
            models.UniqueConstraint(name="run_once", fields=["series", "run"]),
            models.UniqueConstraint(
                name="one_current_run", fields=["series"], condition=Q(is_current=True)
            ),
        ]

    def __str__(self) -> str:
        return f"run {self.run} on {self.series}"

    @property
    def peak_voxels(self) -> int | None:
        """Voxels in the sphere of its SUVpeak; None where the series has no grid."""
        found = self._spacing
        return peaks.voxel_count(found, weighted=self._weighs_peak) if found else None

    @property
    def peak_note(self) -> str:
        """What is to be said of SUVpeak where voxels are large against its sphere; else empty."""
        found = self._spacing
        return peaks.coarse_words(found, weighted=self._weighs_peak) if found else ""

    @property
    def _spacing(self) -> tuple[float, float, float] | None:
        """Of the grid that its series was assembled to: planes, rows, columns in mm."""
        stored = self.series.assembly.get("spacing")
        return (stored[0], stored[1], stored[2]) if stored else None

    @property
    def _weighs_peak(self) -> bool:
        return peaks.of_parameters(self.parameters) is peaks.PeakDefinition.WEIGHTED


class MeasuredRegion(ScopedModel):
    """What is measured on a region of voxels, wherever it came from."""

    # What stands beside its numbers where they suffer from it.
    PARTIAL_VOLUME = "Smaller than twice the resolution of the scanner: the numbers are too low"
    PEAK_AT_BORDER = (
        "The image ends within the sphere of SUVpeak: it is the mean of what lies inside"
    )

    suvmax = models.FloatField()
    suvmean = models.FloatField()
    suvpeak = models.FloatField()
    suvpeak_definition = models.CharField(max_length=30)
    volume_ml = models.FloatField()
    total_uptake = models.FloatField()
    voxel_count = models.PositiveIntegerField()
    # Plane, row, column of the hottest voxel; centroid in the patient's frame, mm (LPS).
    suvmax_voxel = models.JSONField()
    centroid_mm = models.JSONField()
    has_partial_volume = models.BooleanField()
    # The box of its voxels along the planes, the rows and the columns of the image, mm; and whether
    # the image ends within the sphere of SUVpeak. Of what an earlier release measured, none.
    extent_mm = models.JSONField(null=True)
    peak_leaves_image = models.BooleanField(null=True)

    class Meta:
        abstract = True


class Lesion(MeasuredRegion):
    """A region, measured: a connected one above the threshold, or one drawn elsewhere.

    A person says what it is.
    """

    trial_path = "quantification__series__imaging_study__scheduled_scan__patient__trial_id"
    site_path = "quantification__series__imaging_study__scheduled_scan__patient__site_id"

    quantification = models.ForeignKey(
        Quantification, on_delete=models.PROTECT, related_name="lesions"
    )
    number = models.PositiveIntegerField()
    # Of a region drawn elsewhere, the structure set or segmentation that it is of, and its ROI
    # Number (3006,0022) or Segment Number (0062,0004) there; of one above a threshold, none.
    drawing = models.ForeignKey(
        Instance, on_delete=models.PROTECT, null=True, blank=True, related_name="lesions"
    )
    region_number = models.IntegerField(null=True, blank=True)
    region_label = models.TextField(blank=True)

    class Meta:
        ordering = ["quantification", "number"]
        constraints = [
            models.UniqueConstraint(name="lesion_once", fields=["quantification", "number"]),
            models.UniqueConstraint(
                name="drawn_region_once", fields=["quantification", "drawing", "region_number"]
            ),
            models.CheckConstraint(
                name="lesion_drawn_or_not",
                condition=Q(drawing=None, region_number=None, region_label="")
                | Q(drawing__isnull=False, region_number__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"lesion {self.number} of {self.quantification}"


class ReferenceRegion(ScopedModel):
    """Normal tissue: proposed by the system, accepted or placed by a reader.

    A sphere, or the mirror image of one lesion, which is compared with that lesion alone. Of each
    kind of sphere one is in force, of each lesion one mirror image; the others were replaced, and
    stay for what rested on them.
    """

    class Kind(models.TextChoices):
        BLOOD_POOL = "blood_pool", "Mediastinal blood pool"
        LIVER = "liver", "Liver"
        SPLEEN = "spleen", "Spleen"
        BONE_MARROW = "bone_marrow", "Bone marrow"
        MUSCLE = "muscle", "Muscle"
        KIDNEY_LEFT = "kidney_left", "Left kidney"
        KIDNEY_RIGHT = "kidney_right", "Right kidney"
        ADRENAL_LEFT = "adrenal_left", "Left adrenal"
        ADRENAL_RIGHT = "adrenal_right", "Right adrenal"
        CONTRALATERAL_BRAIN = "contralateral_brain", "Contralateral brain"

    # What lesions are compared with; with another only where the protocol says so.
    BACKGROUND = (Kind.BLOOD_POOL, Kind.LIVER, Kind.MUSCLE)

    class Status(models.TextChoices):
        PROPOSED = "proposed", "Proposed, not yet accepted by a reader"
        ACCEPTED = "accepted", "Proposed, accepted by a reader"
        PLACED = "placed", "Placed by a reader"

    trial_path = "quantification__series__imaging_study__scheduled_scan__patient__trial_id"
    site_path = "quantification__series__imaging_study__scheduled_scan__patient__site_id"

    quantification = models.ForeignKey(
        Quantification, on_delete=models.PROTECT, related_name="reference_regions"
    )
    kind = models.CharField(max_length=20, choices=Kind)
    status = models.CharField(max_length=10, choices=Status)
    centre_mm = models.JSONField()
    # None of a mirror image.
    radius_mm = models.FloatField(null=True, blank=True)
    # Of a mirror image, the lesion, and the plane: a point of it in mm, its normal, how well the
    # two sides of the head correlate across it, and how it was found.
    lesion = models.ForeignKey(
        Lesion, on_delete=models.PROTECT, null=True, blank=True, related_name="mirror_images"
    )
    plane = models.JSONField(null=True, blank=True)
    voxel_count = models.PositiveIntegerField()
    suvmean = models.FloatField()
    suv_sd = models.FloatField()
    # Not measured by runs of an earlier release.
    suvmax = models.FloatField(null=True, blank=True)
    suvpeak = models.FloatField(null=True, blank=True)
    suvpeak_definition = models.CharField(max_length=30, blank=True)
    volume_ml = models.FloatField(null=True, blank=True)
    # From injection to the start of the bed that shows its centre; None is not known.
    uptake_minutes = models.FloatField(null=True, blank=True)
    placed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    placed_at = models.DateTimeField(default=timezone.now)
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    accepted_at = models.DateTimeField(null=True, blank=True)
    # When another of its kind came in its place.
    replaced_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["quantification", "pk"]
        constraints = [
            models.UniqueConstraint(
                name="one_region_in_force",
                fields=["quantification", "kind"],
                condition=Q(replaced_at=None, lesion=None),
            ),
            models.UniqueConstraint(
                name="one_mirror_image_in_force",
                fields=["lesion"],
                condition=Q(replaced_at=None, lesion__isnull=False),
            ),
            models.CheckConstraint(
                name="region_is_sphere_or_mirror_image",
                condition=Q(lesion=None, plane=None, radius_mm__isnull=False)
                | Q(
                    lesion__isnull=False,
                    plane__isnull=False,
                    radius_mm=None,
                    kind="contralateral_brain",
                ),
            ),
            models.CheckConstraint(
                name="accepted_region_says_by_whom",
                condition=Q(status="accepted", accepted_by__isnull=False, accepted_at__isnull=False)
                | (~Q(status="accepted") & Q(accepted_by=None, accepted_at=None)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.quantification}"

    @property
    def cv(self) -> float:
        """Coefficient of variation: standard deviation over mean."""
        return self.suv_sd / self.suvmean

    @property
    def is_proposed(self) -> bool:
        return self.status == self.Status.PROPOSED


class LesionRatio(ScopedModel):
    """Tumour-to-background ratios: a lesion's SUVmax, SUVpeak, SUVmean over a region's SUVmean."""

    trial_path = "lesion__quantification__series__imaging_study__scheduled_scan__patient__trial_id"
    site_path = "lesion__quantification__series__imaging_study__scheduled_scan__patient__site_id"

    lesion = models.ForeignKey(Lesion, on_delete=models.PROTECT, related_name="ratios")
    region = models.ForeignKey(ReferenceRegion, on_delete=models.PROTECT, related_name="ratios")
    # Of SUVmax, of SUVpeak by the definition of the lesion, of SUVmean.
    tbr = models.FloatField()
    tbr_peak = models.FloatField()
    tbr_mean = models.FloatField()

    class Meta:
        ordering = ["lesion", "region"]
        constraints = [models.UniqueConstraint(name="ratio_once", fields=["lesion", "region"])]

    def __str__(self) -> str:
        return f"TBR {self.tbr:.2f}"


class LesionPositivity(ScopedModel):
    """Whether a lesion is positive by the protocol's rule, against a region a reader stands for.

    It stands apart from what a reader sees. Without such a region there is no row: whether the
    lesion is positive is then not checkable.
    """

    trial_path = "lesion__quantification__series__imaging_study__scheduled_scan__patient__trial_id"
    site_path = "lesion__quantification__series__imaging_study__scheduled_scan__patient__site_id"

    lesion = models.ForeignKey(Lesion, on_delete=models.PROTECT, related_name="positivities")
    region = models.ForeignKey(
        ReferenceRegion, on_delete=models.PROTECT, related_name="positivities"
    )
    # As the protocol version stated it to the run.
    rule = models.JSONField()
    is_positive = models.BooleanField()
    # Of the lesion, and what it is to exceed, g/mL.
    value = models.FloatField()
    threshold = models.FloatField()
    why = models.TextField()

    class Meta:
        ordering = ["lesion", "region"]
        constraints = [models.UniqueConstraint(name="positivity_once", fields=["lesion", "region"])]

    def __str__(self) -> str:
        return "positive" if self.is_positive else "negative"


class Picture(ScopedModel):
    """A rendered picture of a run, kept in the archive by its digest."""

    class Kind(models.TextChoices):
        MIP = "mip", "Maximum intensity projection with lesions"

    trial_path = "quantification__series__imaging_study__scheduled_scan__patient__trial_id"
    site_path = "quantification__series__imaging_study__scheduled_scan__patient__site_id"

    quantification = models.ForeignKey(
        Quantification, on_delete=models.PROTECT, related_name="pictures"
    )
    kind = models.CharField(max_length=10, choices=Kind)
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="picture_once", fields=["quantification", "kind"])
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.quantification}"
