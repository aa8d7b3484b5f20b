"""What leaves: exports with their manifest, and who took them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from reporting.profiles import LABELS, Profile
from trials.models import EVERY_SITE, Patient, ScopedModel, Site, Trial, WholeTrialQuerySet


class Export(ScopedModel):
    """A set of datasets frozen at one moment, with codebook and manifest."""

    class State(models.TextChoices):
        # Of an unblinded one, until a second person decides.
        WAITING = "waiting", "Waiting for approval"
        DECLINED = "declined"
        REQUESTED = "requested"
        FROZEN = "frozen"
        FAILED = "failed"
        CANCELLED = "cancelled"

    trial_path = "trial_id"

    trial = models.ForeignKey(Trial, on_delete=models.PROTECT, related_name="exports")
    state = models.CharField(max_length=10, choices=State, default=State.REQUESTED)
    reason = models.CharField(max_length=200)
    # Names of reporting.formats, besides CSV.
    formats = models.JSONField(default=list)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    requested_at = models.DateTimeField(default=timezone.now)
    # The moment the data are of: the database's clock inside the one transaction read.
    as_of = models.DateTimeField(null=True)
    # Last audit event included, so that the record as it stood can be found again.
    audit_event = models.BigIntegerField(null=True)
    # Of reporting.profiles: what of a person leaves.
    privacy = models.CharField(
        max_length=20,
        choices=[(one.value, label) for one, label in LABELS.items()],
        default=Profile.FULL.value,
    )
    # Ordered to hold what the trial conceals, and why; then who decided on that, when and why.
    is_unblinded = models.BooleanField(default=False)
    unblinding_reason = models.CharField(max_length=200, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    decision_reason = models.CharField(max_length=200, blank=True)
    # The last day whose events are in it, by the clock of each site; none where all are.
    cut_off = models.DateField(null=True, blank=True)
    # Of an earlier point of the audit trail (`reporting.services.points`): which, and what of today
    # holds all the same. Empty where it is of the instant it is frozen at.
    point = models.JSONField(default=dict, blank=True)
    manifest = models.JSONField(default=dict)
    sha256 = models.CharField(max_length=64, blank=True)
    size = models.PositiveBigIntegerField(null=True)
    # Of its SHA256SUMS, as base64, and the key by `reporting.signing.fingerprint`; empty where the
    # site named no key when it was frozen.
    signature = models.CharField(max_length=88, blank=True)
    signing_key_sha256 = models.CharField(max_length=64, blank=True)
    job = models.BigIntegerField(null=True)
    message = models.TextField(blank=True)
    # Who called it off last; begun again, it is nobody.
    cancelled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    cancelled_at = models.DateTimeField(null=True)

    objects = WholeTrialQuerySet.as_manager()

    class Meta:
        ordering = ["-requested_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="export_unblinded_for_a_reason",
                condition=Q(is_unblinded=False, unblinding_reason="", decided_by=None)
                | (Q(is_unblinded=True) & ~Q(unblinding_reason="")),
            ),
            models.CheckConstraint(
                name="export_unblinded_by_two",
                condition=Q(is_unblinded=False)
                | Q(state="waiting", decided_by=None)
                | (
                    Q(decided_by__isnull=False, decided_at__isnull=False)
                    & ~Q(decision_reason="")
                    & (Q(state="declined") | ~Q(decided_by=F("requested_by")))
                ),
            ),
            models.CheckConstraint(
                name="export_waits_to_be_unblinded",
                condition=Q(is_unblinded=True) | ~Q(state__in=["waiting", "declined"]),
            ),
            models.CheckConstraint(
                name="export_signed_with_a_key_once_frozen",
                condition=Q(signature="", signing_key_sha256="")
                | (Q(state="frozen") & ~Q(signature="") & ~Q(signing_key_sha256="")),
            ),
        ]

    def __str__(self) -> str:
        return f"export {self.pk} of {self.trial}"

    def scope(self) -> tuple[int, int | None]:
        return self.trial_id, EVERY_SITE

    @property
    def standing_words(self) -> str:
        """Its state for a person, where the word alone does not say who has to do what."""
        return "Waiting for a second person" if self.state == self.State.WAITING else ""


class ExportDownload(models.Model):
    """An export's file handed to a user: who held the data of which patients, and since when."""

    export = models.ForeignKey(Export, on_delete=models.PROTECT, related_name="downloads")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["export", "-pk"]

    def __str__(self) -> str:
        return f"download of {self.export} by {self.by}"


class ReportDownload(models.Model):
    """A file of a report handed to a user: which, of which rows, and the digest of its bytes."""

    trial = models.ForeignKey(Trial, on_delete=models.PROTECT, related_name="report_downloads")
    report = models.CharField(max_length=60)
    # "pdf", "json", or a part by its kind and number: "table 2".
    part = models.CharField(max_length=40)
    # Of a frozen export, else of the rows as they were at `as_of`.
    export = models.ForeignKey(
        Export, on_delete=models.PROTECT, null=True, blank=True, related_name="report_downloads"
    )
    as_of = models.DateTimeField()
    sha256 = models.CharField(max_length=64)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["trial", "-pk"]

    def __str__(self) -> str:
        return f"download of report {self.report}, {self.part}, by {self.by}"


class ExportRebuild(models.Model):
    """A frozen export made once more from the audit trail: who asked, what came of each file."""

    class State(models.TextChoices):
        REQUESTED = "requested"
        DONE = "done"
        FAILED = "failed"

    export = models.ForeignKey(Export, on_delete=models.PROTECT, related_name="rebuilds")
    state = models.CharField(max_length=10, choices=State, default=State.REQUESTED)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    requested_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)
    # Of the software that made it once more.
    software_version = models.CharField(max_length=40, blank=True)
    # Each file with its digest as it was frozen and as it was made, and what differs in it.
    files = models.JSONField(default=list)
    job = models.BigIntegerField(null=True)
    message = models.TextField(blank=True)

    class Meta:
        ordering = ["export", "-pk"]

    def __str__(self) -> str:
        return f"rebuild {self.pk} of {self.export}"


class PrintedSheet(ScopedModel):
    """A sheet that somebody printed: of what, when, and the digests that tell its paper."""

    class Kind(models.TextChoices):
        SCAN_WORKSHEET = "scan_worksheet", "Scan-day worksheet"
        BOOKING_SHEET = "booking_sheet", "Booking sheet"
        SCREENING_LOG = "screening_log", "Screening log"
        PRE_VISIT_LIST = "pre_visit_list", "Pre-visit list"
        VISIT_REPORT = "visit_report", "Monitoring visit report"
        FOLLOW_UP_LETTER = "follow_up_letter", "Follow-up letter"

    trial_path = "trial_id"
    site_path = "site_id"

    trial = models.ForeignKey(Trial, on_delete=models.PROTECT, related_name="printed_sheets")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="printed_sheets")
    patient = models.ForeignKey(
        Patient, on_delete=models.PROTECT, null=True, blank=True, related_name="printed_sheets"
    )
    kind = models.CharField(max_length=20, choices=Kind)
    # What it is about, as table and primary key.
    subject_table = models.CharField(max_length=63)
    subject_pk = models.BigIntegerField()
    # Counts the prints of one sheet, from 1; it stands on the paper.
    number = models.PositiveIntegerField()
    protocol_version = models.CharField(max_length=80)
    # Of what stands on the paper, whose first sixteen digits are on each page; and of the file.
    content_sha256 = models.CharField(max_length=64)
    pdf_sha256 = models.CharField(max_length=64)
    size = models.PositiveIntegerField()
    printed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    # The moment the data are of.
    printed_at = models.DateTimeField()

    class Meta:
        ordering = ["-printed_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                name="sheet_print_once", fields=["kind", "subject_table", "subject_pk", "number"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, print {self.number}"


class PopulationReview(ScopedModel):
    """A data review of one analysis population: a draft, then signed for good, or abandoned.

    Signed, it holds the rule and the facts it was decided on; what changes afterwards makes it
    overtaken, which is computed and never written here. A later review of the population
    supersedes it by being later.
    """

    class State(models.TextChoices):
        DRAFT = "draft"
        SIGNED = "signed"
        ABANDONED = "abandoned"

    trial_path = "trial_id"

    trial = models.ForeignKey(Trial, on_delete=models.PROTECT, related_name="population_reviews")
    # The population by its identifier in the trial file.
    population = models.CharField(max_length=8)
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    # Counts up with each decision: who looked at an earlier one is told.
    version = models.PositiveIntegerField(default=1)
    # What it was signed on; empty in a draft. The facts are one of each patient, as JSON.
    definition = models.JSONField(default=dict)
    protocol_version = models.CharField(max_length=80, blank=True)
    inputs = models.JSONField(default=list)
    inputs_sha256 = models.CharField(max_length=64, blank=True)
    engine = models.CharField(max_length=40, blank=True)
    # Files of exports, which hold results, that the signer had taken before.
    exports_taken = models.PositiveIntegerField(default=0)
    opened_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    opened_at = models.DateTimeField(default=timezone.now)
    signed_at = models.DateTimeField(null=True, blank=True)
    # Of a draft that somebody gave up: who, when and why; its decisions stay as they were.
    abandoned_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    abandoned_at = models.DateTimeField(null=True, blank=True)
    abandoned_because = models.CharField(max_length=400, blank=True)

    objects = WholeTrialQuerySet.as_manager()

    class Meta:
        ordering = ["trial", "population", "-pk"]
        constraints = [
            models.UniqueConstraint(
                name="one_population_review_open",
                fields=["trial", "population"],
                condition=Q(state="draft"),
            ),
            models.CheckConstraint(
                name="signed_population_review_has_inputs",
                condition=Q(state__in=["draft", "abandoned"], signed_at=None, inputs_sha256="")
                | (Q(state="signed", signed_at__isnull=False) & ~Q(inputs_sha256="")),
            ),
            models.CheckConstraint(
                name="abandoned_population_review_says_why",
                condition=(
                    Q(state="abandoned", abandoned_by__isnull=False, abandoned_at__isnull=False)
                    & ~Q(abandoned_because="")
                )
                | (
                    ~Q(state="abandoned")
                    & Q(abandoned_by=None, abandoned_at=None, abandoned_because="")
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"data review {self.pk} of {self.population} in {self.trial}"

    def scope(self) -> tuple[int, int | None]:
        return self.trial_id, EVERY_SITE


class PopulationDecision(ScopedModel):
    """What a person decided of one unit while a review was open, and why."""

    trial_path = "review__trial_id"
    patient_path = "patient"

    review = models.ForeignKey(PopulationReview, on_delete=models.PROTECT, related_name="decisions")
    patient = models.ForeignKey(
        Patient, on_delete=models.PROTECT, related_name="population_decisions"
    )
    # The planned scan by its identifier; empty where the unit is the patient.
    scan = models.CharField(max_length=40, blank=True)
    is_in = models.BooleanField()
    reason = models.CharField(max_length=400)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    decided_at = models.DateTimeField(default=timezone.now)

    objects = WholeTrialQuerySet.as_manager()

    class Meta:
        ordering = ["review", "patient", "scan"]
        constraints = [
            models.UniqueConstraint(
                name="population_decided_once", fields=["review", "patient", "scan"]
            )
        ]

    def __str__(self) -> str:
        return f"decision about {self.patient} in {self.review}"

    def scope(self) -> tuple[int, int | None]:
        return self.review.trial_id, EVERY_SITE


class PopulationMember(ScopedModel):
    """One unit as a signed review left it: what the rule proposed and why, and what holds."""

    trial_path = "review__trial_id"
    patient_path = "patient"

    review = models.ForeignKey(PopulationReview, on_delete=models.PROTECT, related_name="members")
    patient = models.ForeignKey(
        Patient, on_delete=models.PROTECT, related_name="population_members"
    )
    scan = models.CharField(max_length=40, blank=True)
    proposed = models.BooleanField()
    # The reasons of the rule, as sentences.
    reasons = models.JSONField(default=list)
    is_in = models.BooleanField()
    # Why it was decided so; empty where the rule's proposal was taken as it was.
    reason = models.CharField(max_length=400, blank=True)

    objects = WholeTrialQuerySet.as_manager()

    class Meta:
        ordering = ["review", "patient", "scan"]
        constraints = [
            models.UniqueConstraint(
                name="population_member_once", fields=["review", "patient", "scan"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.patient} in {self.review}"

    def scope(self) -> tuple[int, int | None]:
        return self.review.trial_id, EVERY_SITE
