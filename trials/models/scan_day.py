"""What a scan day rests on at a site: batches of tracer, scanners, and the clocks of both."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from trials import accountability
from trials.models.scope import ScopedModel
from trials.models.trial import Site


class Batch(ScopedModel):
    """A batch of a tracer as it was released: what it held when, and until when it may be given."""

    trial_path = "site__trial_id"
    site_path = "site_id"

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="batches")
    # The tracer by its identifier in the protocol, whatever the version.
    tracer = models.CharField(max_length=40)
    number = models.CharField(max_length=60)
    calibration_activity_mbq = models.FloatField()
    calibrated_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    # Empty until the qualified person released it.
    released_at = models.DateTimeField(null=True, blank=True)
    released_by = models.CharField(max_length=120, blank=True)
    certificate = models.CharField(max_length=200, blank=True)
    # What the certificate of analysis says was measured; None where it says nothing, which is
    # not zero. `accountability.RELEASE_DATA` has labels, units and limits.
    volume_ml = models.FloatField(null=True, blank=True)
    substance_mass_ug = models.FloatField(null=True, blank=True)
    radiochemical_purity_percent = models.FloatField(null=True, blank=True)
    ph = models.FloatField(null=True, blank=True)
    germanium_breakthrough_percent = models.FloatField(null=True, blank=True)
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["site", "-calibrated_at", "-pk"]
        constraints = [
            models.UniqueConstraint(name="batch_once", fields=["site", "tracer", "number"]),
            models.CheckConstraint(
                name="batch_activity_positive", condition=Q(calibration_activity_mbq__gt=0)
            ),
            models.CheckConstraint(
                name="batch_expires_later", condition=Q(expires_at__gt=F("calibrated_at"))
            ),
            # To PostgreSQL NaN is more than any number, infinity included.
            *(
                models.CheckConstraint(
                    name=f"batch_{name}_possible",
                    condition=Q(**{f"{name}__isnull": True})
                    | Q(**{f"{name}__range": (one.low, one.high)}),
                )
                for name, one in accountability.RELEASE_DATA.items()
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tracer} batch {self.number}"

    @property
    def release_data(self) -> list[tuple[accountability.Measured, float]]:
        """What its certificate says was measured."""
        found = ((one, getattr(self, name)) for name, one in accountability.RELEASE_DATA.items())
        return [(one, value) for one, value in found if value is not None]


class Scanner(ScopedModel):
    """A PET scanner of a site."""

    trial_path = "site__trial_id"
    site_path = "site_id"

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="scanners")
    name = models.CharField(max_length=60)
    manufacturer = models.CharField(max_length=80)
    model = models.CharField(max_length=80)
    software = models.CharField(max_length=80, blank=True)
    serial_number = models.CharField(max_length=80, blank=True)
    # Station Name (0008,1010) in its images, by which a series is told to be from it.
    station_name = models.CharField(max_length=40, blank=True)
    retired_on = models.DateField(null=True, blank=True)
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["site", "name"]
        constraints = [models.UniqueConstraint(name="scanner_once", fields=["site", "name"])]

    def __str__(self) -> str:
        return f"{self.name} ({self.manufacturer} {self.model})"


class ScannerCheck(ScopedModel):
    """A qualification of a scanner for a tracer, or its cross-calibration, with its validity."""

    class Kind(models.TextChoices):
        QUALIFICATION = "qualification", "Qualified for a tracer"
        CROSS_CALIBRATION = "cross_calibration", "Cross-calibration"

    trial_path = "scanner__site__trial_id"
    site_path = "scanner__site_id"

    scanner = models.ForeignKey(Scanner, on_delete=models.PROTECT, related_name="checks")
    kind = models.CharField(max_length=20, choices=Kind)
    tracer = models.CharField(max_length=40, blank=True)
    # Scanner over dose calibrator. Shown and judged, never applied to a number.
    factor = models.FloatField(null=True, blank=True)
    valid_from = models.DateField()
    valid_until = models.DateField()
    reference = models.CharField(max_length=200)
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["scanner", "kind", "tracer", "-valid_from", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="scanner_check_has_its_value",
                condition=Q(kind="qualification", factor__isnull=True) & ~Q(tracer="")
                | Q(kind="cross_calibration", factor__gt=0, tracer=""),
            ),
            models.CheckConstraint(
                name="scanner_check_ends_later", condition=Q(valid_until__gte=F("valid_from"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display().lower()} of {self.scanner}"


class ClockReading(ScopedModel):
    """By how much an instrument's clock was ahead of a reference clock."""

    class Instrument(models.TextChoices):
        DOSE_CALIBRATOR = "dose_calibrator", "Dose calibrator"
        SCANNER = "scanner", "Scanner"

    trial_path = "site__trial_id"
    site_path = "site_id"

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="clock_readings")
    instrument = models.CharField(max_length=20, choices=Instrument)
    scanner = models.ForeignKey(
        Scanner, on_delete=models.PROTECT, null=True, blank=True, related_name="clock_readings"
    )
    # Seconds that the instrument showed more than the reference clock.
    ahead_s = models.FloatField()
    read_at = models.DateTimeField()
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["site", "instrument", "-read_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="clock_of_a_scanner_names_it",
                condition=Q(instrument="scanner", scanner__isnull=False)
                | Q(instrument="dose_calibrator", scanner__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"clock of {self.scanner or self.get_instrument_display().lower()}"
