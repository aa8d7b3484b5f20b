"""The trial and what its protocol plans: data loaded from a trial file."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import models
from django.utils import timezone

from trials import (
    lateralisation_rules,
    matching_rules,
    positivity_rules,
    read_rules,
    segmentation_methods,
)
from trials.conformance_rules import Limits
from trials.models.scope import ScopedModel
from trials.protocol import cited, in_force
from trials.stated import Tolerances


class Trial(ScopedModel):
    """A clinical trial. What no source states is empty, never guessed."""

    trial_path = "pk"

    identifier = models.CharField(max_length=40, unique=True)
    acronym = models.CharField(max_length=40, blank=True)
    title = models.TextField(blank=True)
    sponsor = models.TextField(blank=True)
    phase = models.CharField(max_length=80, blank=True)
    status = models.CharField(max_length=120, blank=True)
    conditions = models.JSONField(default=list, blank=True)
    is_demo = models.BooleanField(default=False)
    # Keys the de-identified UIDs of this trial; never leaves the database.
    uid_key = models.BinaryField(max_length=32)

    class Meta:
        ordering = ["identifier"]

    def __str__(self) -> str:
        return self.identifier

    @property
    def newest_version(self) -> ProtocolVersion | None:
        """The version loaded last; which one holds at a site, the site's activations say."""
        return self.versions.order_by("-number").first()


class ProtocolVersion(ScopedModel):
    """One version of a trial's protocol, as its trial file states it."""

    trial_path = "trial_id"

    trial = models.ForeignKey(Trial, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    label = models.CharField(max_length=80)
    definition = models.JSONField()
    definition_sha256 = models.CharField(max_length=64)
    # The trial file as it was loaded, so that an export gives the same file back.
    text = models.TextField(blank=True)
    loaded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["trial", "number"]
        constraints = [
            models.UniqueConstraint(name="protocol_version_once", fields=["trial", "number"])
        ]

    def __str__(self) -> str:
        return f"{self.trial} {self.label}"

    @property
    def response_rules(self) -> list[dict]:
        """The rules by which response is judged; those that are only proposed judge nobody."""
        return [one for one in self.definition.get("response", ()) if in_force(one)]

    @property
    def positivity(self) -> dict:
        """When a lesion is positive by computation; empty where no source states it."""
        return in_force(self.definition.get("positivity"))

    @property
    def lesion_matching(self) -> dict:
        """When lesions of two scans are proposed as one, and where the rule comes from."""
        return matching_rules.rule_of(self.definition)

    @property
    def lesion_matching_words(self) -> str:
        """The same as a reader says it."""
        rule = self.lesion_matching
        return f"{matching_rules.words(rule)} ({matching_rules.origin_words(rule)})"

    @property
    def positivity_words(self) -> str:
        """What the trial file says of it, also where it is only proposed."""
        stated = self.definition.get("positivity")
        return positivity_rules.words(stated) if stated else ""

    @property
    def read_rule(self) -> dict:
        """How many read a scan and what settles where they differ; empty where none is in force."""
        return in_force(self.definition.get("reads"))

    @property
    def read_words(self) -> list[str]:
        """What the trial file says of it, also where it is only proposed."""
        stated = self.definition.get("reads")
        return read_rules.words(stated) if stated else []

    @property
    def lateralisation(self) -> list[dict]:
        """From which adrenal ratio on a side is called, each cut-off with its source in full."""
        stated = self.definition.get("lateralisation") or ()
        return [
            {name: one[name] for name in ("cut_off", "boundary", "minutes", "tolerance_minutes")}
            | {"source": "; ".join(cited(self.definition, one["source"]))}
            for one in stated
            if in_force(one)
        ]

    @property
    def lateralisation_words(self) -> list[tuple[str, bool]]:
        """What the trial file says of it, and whether it is in force."""
        stated = self.definition.get("lateralisation") or ()
        return [(lateralisation_rules.words(one), bool(in_force(one))) for one in stated]


class Site(ScopedModel):
    """A place that takes part in a trial; its time zone fixes what a wall clock there means."""

    class State(models.TextChoices):
        PLANNED = "planned"
        ACTIVE = "active"
        SUSPENDED = "suspended"
        CLOSED = "closed"

    trial_path = "trial_id"
    site_path = "pk"

    trial = models.ForeignKey(Trial, on_delete=models.PROTECT, related_name="sites")
    code = models.CharField(max_length=20)
    name = models.CharField(max_length=120)
    time_zone = models.CharField(max_length=60, default="UTC")
    state = models.CharField(max_length=10, choices=State, default=State.PLANNED)
    # Answers for the conduct of the trial there and signs whom duties are delegated to.
    principal_investigator = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="leads_sites",
    )

    class Meta:
        ordering = ["trial", "code"]
        constraints = [models.UniqueConstraint(name="site_code_once", fields=["trial", "code"])]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"

    def today(self) -> date:
        """The day it is at the site: what holds there from a day on holds by its own calendar."""
        return timezone.localdate(timezone=ZoneInfo(self.time_zone))

    @property
    def version_in_force(self) -> ProtocolVersion | None:
        """The protocol version that holds here today; a version loaded later waits for its day."""
        today = self.today()
        if "activations" in getattr(self, "_prefetched_objects_cache", {}):
            held = [one for one in self.activations.all() if one.effective_on <= today]
            newest = max(held, key=lambda one: (one.effective_on, one.pk), default=None)
            return newest.version if newest else None
        activation = (
            self.activations.filter(effective_on__lte=today)
            .select_related("version")
            .order_by("-effective_on", "-pk")
            .first()
        )
        return activation.version if activation else None


class Tracer(ScopedModel):
    """A radiopharmaceutical a protocol version uses, with its limits as far as known."""

    trial_path = "version__trial_id"

    version = models.ForeignKey(ProtocolVersion, on_delete=models.PROTECT, related_name="tracers")
    identifier = models.CharField(max_length=40)
    name = models.CharField(max_length=80)
    radionuclide = models.CharField(max_length=10)
    activity_target_mbq = models.FloatField(null=True, blank=True)
    activity_low_mbq = models.FloatField(null=True, blank=True)
    activity_high_mbq = models.FloatField(null=True, blank=True)
    # Where the protocol doses by body weight: target and limits per kilogram.
    mbq_per_kg_target = models.FloatField(null=True, blank=True)
    mbq_per_kg_low = models.FloatField(null=True, blank=True)
    mbq_per_kg_high = models.FloatField(null=True, blank=True)
    source = models.JSONField(default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="tracer_once", fields=["version", "identifier"])
        ]

    def __str__(self) -> str:
        return self.name


class Cohort(ScopedModel):
    """A group that patients are enrolled into, with the number it may hold as far as stated."""

    trial_path = "version__trial_id"

    version = models.ForeignKey(ProtocolVersion, on_delete=models.PROTECT, related_name="cohorts")
    identifier = models.CharField(max_length=40)
    label = models.CharField(max_length=120)
    arm = models.CharField(max_length=40, blank=True)
    # None: no source limits it.
    cap = models.PositiveIntegerField(null=True, blank=True)
    source = models.JSONField(default=list)

    class Meta:
        ordering = ["version", "pk"]
        constraints = [
            models.UniqueConstraint(name="cohort_once", fields=["version", "identifier"])
        ]

    def __str__(self) -> str:
        return self.label


class PlannedVisit(ScopedModel):
    """A visit of the protocol, with its window around an anchor as far as stated."""

    trial_path = "version__trial_id"

    version = models.ForeignKey(
        ProtocolVersion, on_delete=models.PROTECT, related_name="planned_visits"
    )
    position = models.PositiveIntegerField()
    identifier = models.CharField(max_length=40)
    label = models.CharField(max_length=120)
    epoch = models.CharField(max_length=40, blank=True)
    anchor = models.CharField(max_length=60, blank=True)
    # ISO 8601 durations from the anchor, signed; empty where no source states them.
    target = models.CharField(max_length=20, blank=True)
    earliest = models.CharField(max_length=20, blank=True)
    latest = models.CharField(max_length=20, blank=True)
    source = models.JSONField(default=list)

    class Meta:
        ordering = ["version", "position"]
        constraints = [
            models.UniqueConstraint(name="planned_visit_once", fields=["version", "identifier"])
        ]

    def __str__(self) -> str:
        return self.label


class PlannedScan(ScopedModel):
    """A scan the protocol plans, with its conformance limits as far as known."""

    class SuvSource(models.TextChoices):
        HEADER = "header", "The headers of the images"
        RECORD = "record", "What the site recorded"

    trial_path = "version__trial_id"

    version = models.ForeignKey(
        ProtocolVersion, on_delete=models.PROTECT, related_name="planned_scans"
    )
    tracer = models.ForeignKey(Tracer, on_delete=models.PROTECT, related_name="planned_scans")
    identifier = models.CharField(max_length=40)
    label = models.CharField(max_length=120)
    uptake_low_minutes = models.FloatField(null=True, blank=True)
    uptake_high_minutes = models.FloatField(null=True, blank=True)
    requires_ct = models.BooleanField(null=True)
    visit = models.ForeignKey(
        PlannedVisit, on_delete=models.PROTECT, null=True, blank=True, related_name="planned_scans"
    )
    coverage = models.CharField(max_length=120, blank=True)
    reconstruction = models.CharField(max_length=200, blank=True)
    reference_regions = models.JSONField(default=list)
    segmentation = models.JSONField(default=dict)
    # Tolerances, limits of the image, and severities, as far as the protocol states them.
    conformance = models.JSONField(default=dict)
    # Of which scan it is the retest, and what makes the two compare; empty where none is in force.
    retest = models.JSONField(blank=True, default=dict)
    # Whose weight, activity and injection time the SUV rests on.
    suv_source = models.CharField(max_length=10, choices=SuvSource, default=SuvSource.HEADER)
    source = models.JSONField(default=list)

    class Meta:
        ordering = ["version", "pk"]
        constraints = [
            models.UniqueConstraint(name="planned_scan_once", fields=["version", "identifier"])
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def segmentation_words(self) -> str:
        """Where lesions begin, as a reader says it."""
        return segmentation_methods.words(self.segmentation)

    @property
    def click_words(self) -> str:
        """What a reader's click takes in, as a reader says it."""
        return segmentation_methods.click_words(segmentation_methods.click(self.segmentation))

    @property
    def placed_words(self) -> str:
        """What belongs of a shape that a reader places, as a reader says it."""
        inside = segmentation_methods.inside_placed(self.segmentation)
        return segmentation_methods.inside_words(inside)

    @property
    def tolerances(self) -> Tolerances:
        """How far image headers and record may be apart."""
        return self.limits.tolerances

    @property
    def limits(self) -> Limits:
        """What the images of the scan are held to, as far as stated."""
        return Limits(
            radionuclide=self.tracer.radionuclide,
            uptake_minutes=(self.uptake_low_minutes, self.uptake_high_minutes),
            activity_mbq=(self.tracer.activity_low_mbq, self.tracer.activity_high_mbq),
            requires_ct=self.requires_ct,
            conformance=self.conformance,
        )


class EligibilityCriterion(ScopedModel):
    """One inclusion or exclusion criterion: its text, its rule, when it is judged, for whom."""

    class Category(models.TextChoices):
        INCLUSION = "inclusion"
        EXCLUSION = "exclusion"

    class Gate(models.TextChoices):
        ENROLMENT = "enrolment"
        PRE_INJECTION = "pre_injection", "Before injection"
        PER_SCAN = "per_scan", "Per scan"

    class Provenance(models.TextChoices):
        SOURCE = "source", "Stated for this trial"
        PROPOSED = "proposed", "Proposed, confirm with the protocol"
        CONFLICT = "conflict", "Sources disagree, to be settled"

    trial_path = "version__trial_id"

    version = models.ForeignKey(ProtocolVersion, on_delete=models.PROTECT, related_name="criteria")
    position = models.PositiveIntegerField()
    identifier = models.CharField(max_length=20)
    category = models.CharField(max_length=10, choices=Category)
    text = models.TextField()
    expression = models.JSONField()
    # None means the criterion applies to every patient and scan.
    applies_to = models.JSONField(null=True, blank=True)
    gate = models.CharField(max_length=20, choices=Gate)
    provenance = models.CharField(max_length=20, choices=Provenance)
    note = models.TextField(blank=True)
    source = models.JSONField(default=list)

    class Meta:
        ordering = ["version", "position"]
        constraints = [
            models.UniqueConstraint(name="criterion_once", fields=["version", "identifier"])
        ]
        verbose_name_plural = "eligibility criteria"

    def __str__(self) -> str:
        return f"{self.identifier} {self.text}"
