"""Scheduled scans, injections, and what image headers state of them."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from trials import decay
from trials.models.patient import Patient
from trials.models.scan_day import Batch, Scanner
from trials.models.scope import ScopedModel
from trials.models.trial import PlannedScan, PlannedVisit
from trials.stated import Given, Stated


class ScheduledScan(ScopedModel):
    """A planned scan given to a patient at a time."""

    class State(models.TextChoices):
        SCHEDULED = "scheduled"
        INJECTED = "injected"
        IMAGES_RECEIVED = "images_received", "Images received"
        QUANTIFIED = "quantified"
        CANCELLED = "cancelled"

    trial_path = "patient__trial_id"
    site_path = "patient__site_id"

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="scheduled_scans")
    planned_scan = models.ForeignKey(PlannedScan, on_delete=models.PROTECT)
    planned_at = models.DateTimeField()
    # When the time was last changed; what was judged for an earlier time is judged anew.
    rescheduled_at = models.DateTimeField(null=True, blank=True)
    # Counts up with each new time, so that a calendar knows which one is newer.
    sequence = models.PositiveIntegerField(default=0)
    # Why it was cancelled, or the scan that repeats it.
    cancelled_because = models.CharField(max_length=400, blank=True)
    state = models.CharField(max_length=20, choices=State, default=State.SCHEDULED)

    class Meta:
        ordering = ["patient", "planned_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                name="scan_scheduled_once",
                fields=["patient", "planned_scan"],
                condition=~Q(state="cancelled"),
            )
        ]

    def __str__(self) -> str:
        return f"{self.planned_scan} of {self.patient}"


class VisitRecord(ScopedModel):
    """That a visit of the protocol took place, as the source tells; of one without a scan.

    A visit with a scan took place when its tracer was given, which the injection says.
    """

    trial_path = "patient__trial_id"
    site_path = "patient__site_id"

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="visit_records")
    planned_visit = models.ForeignKey(PlannedVisit, on_delete=models.PROTECT)
    # A day, or a day and time with zone: ISO 8601 as far as the source tells.
    took_place_at = models.CharField(max_length=32)
    # Who of the site saw or called the patient, by name.
    performed_by = models.CharField(max_length=120)
    # Why it is taken back; empty while it stands.
    undone_because = models.CharField(max_length=400, blank=True)
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["patient", "pk"]
        constraints = [
            models.UniqueConstraint(
                name="visit_recorded_once",
                fields=["patient", "planned_visit"],
                condition=Q(undone_because=""),
            )
        ]

    def __str__(self) -> str:
        return f"{self.planned_visit} of {self.patient}"


class Injection(ScopedModel):
    """The tracer a patient was given: what the syringe held, before and after, and when."""

    class Extravasation(models.TextChoices):
        NOT_STATED = "not_stated", "Not stated"
        NONE = "none", "None seen"
        SUSPECTED = "suspected", "Suspected"
        SEEN = "seen", "Seen"

    trial_path = "scheduled_scan__patient__trial_id"
    site_path = "scheduled_scan__patient__site_id"

    scheduled_scan = models.OneToOneField(
        ScheduledScan, on_delete=models.PROTECT, related_name="injection"
    )
    assayed_activity_mbq = models.FloatField()
    assayed_at = models.DateTimeField()
    batch = models.ForeignKey(
        Batch, on_delete=models.PROTECT, null=True, blank=True, related_name="injections"
    )
    scanner = models.ForeignKey(
        Scanner, on_delete=models.PROTECT, null=True, blank=True, related_name="injections"
    )
    # A residual that was not measured is unknown, not zero.
    residual_activity_mbq = models.FloatField(null=True, blank=True)
    residual_at = models.DateTimeField(null=True, blank=True)
    injected_at = models.DateTimeField()
    injected_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    route = models.CharField(max_length=40, default="intravenous")
    body_site = models.CharField(max_length=60, blank=True)
    extravasation = models.CharField(
        max_length=10, choices=Extravasation, default=Extravasation.NOT_STATED
    )
    comment = models.CharField(max_length=400, blank=True)
    # Why it was given although the gate of the day was red; empty when it was green.
    despite = models.CharField(max_length=400, blank=True)
    # What the image headers said otherwise when a person confirmed the record; empty if nothing.
    confirmed_differences = models.TextField(blank=True)
    weight_kg = models.FloatField()
    height_cm = models.FloatField(null=True, blank=True)
    net_activity_mbq = models.FloatField()
    half_life_s = models.FloatField()
    # Seconds that the dose calibrator's clock was ahead; None where nobody compared it.
    calibrator_ahead_s = models.FloatField(null=True, blank=True)
    # Counts up with each correction; the trail holds every version.
    version = models.PositiveIntegerField(default=1)
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="injection_activity_positive",
                condition=Q(assayed_activity_mbq__gt=0),
            ),
            models.CheckConstraint(
                name="injection_residual_has_time",
                condition=Q(residual_activity_mbq__isnull=True, residual_at__isnull=True)
                | Q(residual_activity_mbq__gte=0, residual_at__isnull=False),
            ),
            models.CheckConstraint(
                name="injection_weight_plausible",
                condition=Q(weight_kg__gte=1) & Q(weight_kg__lte=400),
            ),
        ]

    def __str__(self) -> str:
        return f"injection for {self.scheduled_scan}"

    @property
    def gross_activity_mbq(self) -> float:
        """The assayed activity at the injection, before the residual is subtracted."""
        ahead = self.calibrator_ahead_s or 0.0
        elapsed = (self.injected_at - self.assayed_at).total_seconds() + ahead
        return decay.decayed(self.assayed_activity_mbq, elapsed=elapsed, half_life=self.half_life_s)

    @property
    def on_reference_clock(self) -> tuple[datetime, datetime | None]:
        """When syringe and residual were measured, by the clock that injections go by."""
        ahead = timedelta(seconds=self.calibrator_ahead_s or 0.0)
        return self.assayed_at - ahead, self.residual_at - ahead if self.residual_at else None

    @property
    def given(self) -> Given:
        """The record as it is compared with image headers."""
        return Given(
            self.injected_at,
            self.net_activity_mbq,
            self.weight_kg,
            self.gross_activity_mbq,
            self.height_cm,
        )


class HeaderStatement(ScopedModel):
    """What the headers of a scan's images state of its injection; imaging tells it.

    On the real calendar, the scanner's clock set right by what it was ahead.
    """

    trial_path = "scheduled_scan__patient__trial_id"
    site_path = "scheduled_scan__patient__site_id"

    scheduled_scan = models.OneToOneField(
        ScheduledScan, on_delete=models.PROTECT, related_name="header_statement"
    )
    injected_at = models.DateTimeField(null=True, blank=True)
    activity_mbq = models.FloatField(null=True, blank=True)
    weight_kg = models.FloatField(null=True, blank=True)
    height_cm = models.FloatField(null=True, blank=True)
    manufacturer = models.CharField(max_length=80, blank=True)
    model = models.CharField(max_length=80, blank=True)
    # The series it is from, for people.
    source = models.CharField(max_length=200)
    # The dose-length product of the CT as what arrived tells it, by `imaging.ct_dose`, or the code
    # and the sentence why nothing does; empty where no CT and no dose report came.
    ct_dose = models.JSONField(default=dict, blank=True)
    # The newest recorded dose-length product that was compared with it; 0 if there was none.
    compared_evidence = models.PositiveBigIntegerField(default=0)
    told_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"headers of {self.scheduled_scan}"

    @property
    def stated(self) -> Stated:
        """The headers as they are compared with the record."""
        return Stated(self.injected_at, self.activity_mbq, self.weight_kg, self.height_cm)
