"""Shapes of the API about the conduct of a trial: sites, signatures, versions, the board."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from trials import models
from trials.api.fields import CleanJSONField, Key, Line, Text
from trials.api.serializers import PlannedScan, Reason, Version
from trials.selectors.board import Row
from trials.services import sites as services
from trials.services.amendments import DryRun, Flip
from trials.services.cohorts import Room
from trials.trial_yaml import MAXIMUM_CHARACTERS

Rows = serializers.ModelSerializer


class Password(serializers.Serializer):
    password = serializers.CharField(
        max_length=1000, trim_whitespace=False, help_text="Your own, once more: this signs."
    )


class Approval(Rows):
    class Meta:
        model = models.SiteApproval
        fields = ["id", "kind", "tracer", "reference", "granted_on", "expires_on", "ended_on"]


class RecordApproval(serializers.Serializer):
    kind = serializers.ChoiceField(choices=models.SiteApproval.Kind.choices)
    tracer = Line(max_length=40, default="", allow_blank=True, help_text="For a scanner.")
    reference = Line(max_length=200)
    granted_on = serializers.DateField()
    expires_on = serializers.DateField(allow_null=True, default=None)


class End(Reason):
    ended_on = serializers.DateField()


class EndDuty(Reason):
    ends_on = serializers.DateField()


class SendingToken(Rows):
    issued_by = serializers.StringRelatedField()
    is_in_force = serializers.BooleanField()

    class Meta:
        model = models.SendingToken
        fields = [
            "id",
            "name",
            "issued_by",
            "issued_at",
            "expires_on",
            "revoked_at",
            "is_in_force",
        ]


class IssueSendingToken(serializers.Serializer):
    name = Line(max_length=40, help_text="Which machine it is for.")
    expires_on = serializers.DateField(help_text="Its last day, a year from today at most.")


class IssuedSendingToken(serializers.Serializer):
    token = serializers.CharField(help_text="Shown this once; send it as `Bearer`.")
    row = SendingToken()


class ConsentVersion(Rows):
    class Meta:
        model = models.ConsentVersion
        fields = ["id", "version", "language", "valid_from", "valid_until", "requires_reconsent"]


class RecordConsentVersion(serializers.Serializer):
    version = Line(max_length=40)
    language = Line(max_length=10)
    valid_from = serializers.DateField()
    valid_until = serializers.DateField(allow_null=True, default=None)
    requires_reconsent = serializers.BooleanField(default=False)


class Leader(Reason):
    user = Key(help_text="Primary key of an investigator of the site.")


class Delegation(Rows):
    user_name = serializers.CharField(source="user")
    signed_by = serializers.CharField(source="signature.signer_name", default=None)
    signed_at = serializers.DateTimeField(source="signature.signed_at", default=None)

    class Meta:
        model = models.Delegation
        fields = [
            "id",
            "user",
            "user_name",
            "duty",
            "starts_on",
            "ends_on",
            "signed_by",
            "signed_at",
        ]


class Delegate(Password):
    user = Key()
    duty = serializers.ChoiceField(choices=models.Delegation.Duty.choices)
    starts_on = serializers.DateField()
    ends_on = serializers.DateField(allow_null=True, default=None)


class SiteStanding(Rows):
    """A site with what it lacks to enrol today."""

    trial = serializers.CharField(source="trial.identifier")
    principal_investigator = serializers.StringRelatedField()
    missing = serializers.SerializerMethodField()
    version = Version(source="version_in_force", allow_null=True)

    class Meta:
        model = models.Site
        fields = [
            "id",
            "trial",
            "code",
            "name",
            "time_zone",
            "state",
            "principal_investigator",
            "missing",
            "version",
        ]

    def get_missing(self, row: models.Site) -> list[str]:
        return services.missing(row)


class OneSite(SiteStanding):
    approvals = Approval(many=True)
    consent_versions = ConsentVersion(many=True)
    planned_scans = serializers.SerializerMethodField(
        help_text="What the version in force here plans: these can be scheduled."
    )

    class Meta(SiteStanding.Meta):
        fields = [*SiteStanding.Meta.fields, "approvals", "consent_versions", "planned_scans"]

    @extend_schema_field(PlannedScan(many=True))
    def get_planned_scans(self, row: models.Site) -> list:
        version = row.version_in_force
        rows = version.planned_scans.select_related("tracer") if version else []
        return PlannedScan(rows, many=True).data


class Activate(serializers.Serializer):
    effective_on = serializers.DateField()
    reference = Line(max_length=200, help_text="The approval, as the site files it.")


class Activation(Rows):
    version = serializers.CharField(source="version.label")

    class Meta:
        model = models.ProtocolActivation
        fields = ["id", "site", "version", "effective_on", "reference", "activated_at"]


class Change(serializers.Serializer):
    criterion = serializers.CharField()
    text = serializers.CharField()
    before = serializers.CharField()
    after = serializers.CharField()
    reason = serializers.CharField()


class FlipRow(serializers.Serializer):
    patient = serializers.SerializerMethodField()
    before = serializers.CharField()
    after = serializers.CharField()
    changes = Change(many=True)

    def get_patient(self, flip: Flip) -> str:
        return flip.patient.identifier


class DryRunResult(serializers.Serializer):
    """Who would be judged otherwise, and who has to sign a new consent form."""

    version = serializers.CharField(source="version.label")
    flips = FlipRow(many=True)
    unchanged = serializers.IntegerField()
    reconsent = serializers.SerializerMethodField()
    scan_day = serializers.SerializerMethodField()

    def get_scan_day(self, run: DryRun) -> dict[str, str]:
        """Criteria of the scan day that are new, changed or dropped."""
        return {criterion.identifier: what for criterion, what in run.scan_day}

    def get_reconsent(self, run: DryRun) -> list[str]:
        return [one.identifier for one in run.reconsent]


class TrialFile(serializers.Serializer):
    text = serializers.CharField(max_length=MAXIMUM_CHARACTERS, trim_whitespace=False)
    dry_run = serializers.BooleanField(default=True)


class Loaded(serializers.Serializer):
    trial = serializers.CharField(allow_null=True)
    version = serializers.IntegerField(source="version.number", default=None, allow_null=True)
    changes = serializers.ListField(child=serializers.CharField())


class SourceReading(serializers.Serializer):
    choice = serializers.CharField()
    text = serializers.CharField()
    source = serializers.ListField(child=serializers.CharField())


class Conflict(serializers.Serializer):
    key = serializers.CharField()
    readings = SourceReading(many=True)
    settled = serializers.CharField(source="settlement.choice", default=None, allow_null=True)
    basis = serializers.CharField(source="settlement.basis", default=None, allow_null=True)


class Settle(serializers.Serializer):
    conflict = Line(max_length=120)
    choice = Line(max_length=2000)
    basis = Text()


class CohortRoom(serializers.Serializer):
    identifier = serializers.CharField(source="cohort.identifier")
    label = serializers.CharField(source="cohort.label")
    cap = serializers.IntegerField(source="cohort.cap", allow_null=True)
    enrolled = serializers.IntegerField()
    arm_cap = serializers.IntegerField(
        allow_null=True, help_text="Of the arm of the cohort, over all its cohorts."
    )
    arm_enrolled = serializers.IntegerField()
    is_open = serializers.SerializerMethodField()

    def get_is_open(self, room: Room) -> bool:
        return room.is_open


class Signature(Rows):
    meaning = serializers.CharField(source="get_meaning_display")

    class Meta:
        model = models.Signature
        fields = ["id", "signer_name", "signed_at", "meaning", "content", "content_sha256"]


class Replay(serializers.Serializer):
    assessment = serializers.IntegerField(source="assessment.pk")
    is_replayable = serializers.BooleanField()
    is_same = serializers.BooleanField()
    engine_then = serializers.CharField()
    engine_now = serializers.CharField()
    differences = serializers.ListField(child=serializers.CharField())


class Condition(serializers.Serializer):
    code = serializers.CharField()
    label = serializers.CharField()
    is_met = serializers.BooleanField()
    sentence = serializers.CharField()


class Enrol(serializers.Serializer):
    cohort = Line(max_length=40, allow_null=True, default=None)


class EnrolDespite(Enrol, Password):
    text = Text()


class EndScreening(Reason):
    category = serializers.ChoiceField(
        choices=models.ScreenFailure.Category.choices, default="other"
    )


class Withdrawal(Rows):
    class Meta:
        model = models.Withdrawal
        fields = ["id", "extent", "initiative", "withdrawn_at", "text", "recorded_at"]


class Withdraw(serializers.Serializer):
    extent = serializers.ChoiceField(choices=models.Withdrawal.Extent.choices)
    initiative = serializers.ChoiceField(choices=models.Withdrawal.Initiative.choices)
    withdrawn_at = Line(max_length=40)
    text = Text()


class LogLine(serializers.Serializer):
    trial = serializers.CharField(source="patient.trial.identifier")
    site = serializers.CharField(source="patient.site.code")
    screening_number = serializers.CharField(source="patient.screening_number")
    screened_at = serializers.DateTimeField(source="patient.registered_at")
    consented_on = serializers.CharField()
    verdict = serializers.CharField()
    outcome = serializers.CharField()
    ended_on = serializers.CharField()
    reason = serializers.CharField()
    criteria = serializers.CharField()
    earlier = serializers.CharField()


class Due(serializers.Serializer):
    patient = serializers.CharField()
    site = serializers.CharField()
    sentence = serializers.CharField()


class CellShape(serializers.Serializer):
    criterion = serializers.CharField()
    word = serializers.CharField(allow_blank=True)
    is_provisional = serializers.BooleanField()
    verification = serializers.CharField(allow_blank=True)
    scan = serializers.IntegerField(allow_null=True)
    judged_for = serializers.CharField(allow_blank=True)
    changed_at = serializers.DateTimeField(
        allow_null=True,
        help_text="When its judgement, evidence, signature or verification last changed.",
    )


class BoardRow(serializers.Serializer):
    patient = serializers.IntegerField(source="patient.pk")
    identifier = serializers.CharField(source="patient.identifier")
    site = serializers.CharField(source="patient.site.code")
    state = serializers.CharField(source="patient.state")
    verdict = serializers.SerializerMethodField()
    stands = serializers.BooleanField()
    is_signed = serializers.BooleanField()
    is_signature_broken = serializers.BooleanField(
        help_text="Whether the record is no longer what was signed."
    )
    is_despite_criteria = serializers.BooleanField(source="is_despite")
    cells = CellShape(many=True)

    def get_verdict(self, row: Row) -> str | None:
        return row.patient.verdict


class Run(Rows):
    assessment = serializers.IntegerField(source="assessment_id")
    assessed_at = serializers.DateTimeField(source="assessment.assessed_at")
    version = serializers.CharField(source="assessment.version.label")
    engine = serializers.CharField(source="assessment.engine")

    class Meta:
        model = models.CriterionResult
        fields = ["assessment", "assessed_at", "version", "engine", "word", "outcome", "reason"]


class Mark(Rows):
    verified_by = serializers.StringRelatedField()

    class Meta:
        model = models.SourceVerification
        fields = ["verified_by", "verified_at", "note", "evidence_sha256"]


class OpenedCell(serializers.Serializer):
    criterion = serializers.CharField(source="criterion.identifier")
    text = serializers.CharField(source="criterion.text")
    expression = serializers.JSONField(source="criterion.expression")
    source = serializers.JSONField(source="criterion.source")
    evidence = serializers.SerializerMethodField()
    evidence_sha256 = serializers.CharField(source="digest")
    verification = serializers.CharField()
    runs = Run(many=True)
    marks = Mark(many=True)
    signature = Signature(allow_null=True)
    signature_stands = serializers.BooleanField(
        help_text="Whether nothing that was signed has changed since."
    )

    def get_evidence(self, cell: Any) -> list[int]:
        return [one.pk for one in cell.evidence]


class Verify(serializers.Serializer):
    seen = CleanJSONField(help_text="The evidence_sha256 that was seen, by criterion.")
    scheduled_scan = Key(allow_null=True, default=None)
    note = Line(max_length=500, default="", allow_blank=True)


class BoardFilter(serializers.Serializer):
    trial = Line(max_length=40, help_text="Identifier of a trial.")
    site = Key(required=False)
    changed_since = serializers.DateTimeField(
        required=False, help_text="Patients with a cell that changed after it."
    )


class CellFilter(serializers.Serializer):
    scheduled_scan = Key(required=False, help_text="The scan it was judged for, if for one.")
