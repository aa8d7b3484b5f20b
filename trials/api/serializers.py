"""The shapes of the trials part of the API: what it shows, and what it is sent.

What is shown ends in the name of the row; what is sent is named for the act. Only the shape
is checked here; what the values may be is the services' business.
"""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from trials import conformance_rules, models
from trials.api.fields import CleanJSONField, Key, Line, Moment, Text
from trials.roles import SCOPES
from trials.selectors.trials import checks_of
from trials.services.accounts import LONGEST_SCOPED_DAYS

Rows = serializers.ModelSerializer


class LogIn(serializers.Serializer):
    username = Line(max_length=150)
    password = serializers.CharField(max_length=1000, trim_whitespace=False)
    label = Line(max_length=80, default="script", help_text="What the token is for.")
    scope = serializers.ChoiceField(
        list(SCOPES),
        default="",
        help_text="What the token is good for alone: to read exports, of which those that break a "
        "blinding need `export:unblinded`. Without one it does what its user may.",
    )
    days = serializers.IntegerField(
        min_value=1,
        max_value=LONGEST_SCOPED_DAYS,
        default=None,
        allow_null=True,
        help_text="How long a token of a scope lasts; others last twelve hours.",
    )


class Token(serializers.Serializer):
    token = serializers.CharField(help_text="Shown this once; send it as `Bearer`.")
    expires_at = serializers.DateTimeField()


class Held(Rows):
    """A role held today."""

    label = serializers.SerializerMethodField()
    trial = serializers.CharField(source="trial.identifier")
    site = serializers.CharField(
        source="site.code", default=None, allow_null=True, help_text="Empty: all sites."
    )

    class Meta:
        model = models.Membership
        fields = ["role", "label", "trial", "site", "starts_on", "ends_on"]

    def get_label(self, row: models.Membership) -> str:
        return row.get_role_display()


class Me(Rows):
    full_name = serializers.CharField(source="get_full_name")
    roles = Held(many=True, source="current_memberships")

    class Meta:
        model = models.User
        fields = ["id", "username", "full_name", "roles"]


class Account(Rows):
    """The account of a person, with the roles that the user may see."""

    full_name = serializers.CharField(source="get_full_name")
    roles = Held(many=True, source="seen")

    class Meta:
        model = models.User
        fields = ["id", "username", "full_name", "is_active", "last_login", "roles"]


class Machine(Rows):
    """A machine that goes on sending with a token that the account made."""

    trial = serializers.CharField(source="site.trial.identifier")
    site = serializers.CharField(source="site.code")

    class Meta:
        model = models.SendingToken
        fields = ["id", "name", "trial", "site"]


class EndedAccount(serializers.Serializer):
    account = Account()
    still_sending = Machine(many=True)


class AccountFilter(serializers.Serializer):
    is_active = serializers.BooleanField(required=False, allow_null=True, default=None)


class Site(Rows):
    class Meta:
        model = models.Site
        fields = ["id", "code", "name", "time_zone", "state"]


class Version(Rows):
    class Meta:
        model = models.ProtocolVersion
        fields = ["id", "label", "number", "definition_sha256", "loaded_at"]


class TrialLine(Rows):
    conditions = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = models.Trial
        fields = [
            "identifier",
            "acronym",
            "title",
            "sponsor",
            "phase",
            "status",
            "conditions",
            "is_demo",
        ]


class Tracer(Rows):
    class Meta:
        model = models.Tracer
        fields = [
            "identifier",
            "name",
            "radionuclide",
            "activity_target_mbq",
            "activity_low_mbq",
            "activity_high_mbq",
        ]


class HeldTo(serializers.Serializer):
    """One rule that the images of a scan are held to, in words with units."""

    rule = serializers.CharField()
    label = serializers.CharField()
    compares = serializers.CharField()
    limit = serializers.CharField(allow_blank=True, help_text="Empty where none is stated.")
    is_checkable = serializers.BooleanField(help_text="False is not a pass.")
    basis = serializers.ChoiceField(choices=[one.value for one in conformance_rules.Basis])
    severity = serializers.ChoiceField(choices=[one.value for one in conformance_rules.Severity])
    is_severity_stated = serializers.BooleanField()
    proposed = serializers.CharField(
        allow_blank=True, help_text="Only proposed: to be confirmed, limits nobody."
    )


class PlannedScan(Rows):
    tracer = Tracer()
    held_to = serializers.SerializerMethodField(
        help_text="What its images are held to; what is not checkable is no pass."
    )

    class Meta:
        model = models.PlannedScan
        fields = [
            "id",
            "identifier",
            "label",
            "tracer",
            "uptake_low_minutes",
            "uptake_high_minutes",
            "requires_ct",
            "coverage",
            "reconstruction",
            "reference_regions",
            "suv_source",
            "conformance",
            "held_to",
            "segmentation",
            "retest",
            "source",
        ]

    @extend_schema_field(HeldTo(many=True))
    def get_held_to(self, row: models.PlannedScan) -> list:
        return HeldTo(checks_of(row), many=True).data


class Criterion(Rows):
    class Meta:
        model = models.EligibilityCriterion
        fields = [
            "identifier",
            "category",
            "text",
            "expression",
            "applies_to",
            "gate",
            "provenance",
            "note",
            "source",
        ]


class Trial(TrialLine):
    """A trial with its newest protocol version and the sites the user sees."""

    sites = Site(many=True, source="seen_sites")
    version = Version(source="newest_version", allow_null=True)
    planned_scans = PlannedScan(many=True)
    criteria = Criterion(many=True)

    class Meta(TrialLine.Meta):
        fields = [*TrialLine.Meta.fields, "sites", "version", "planned_scans", "criteria"]


class Patient(Rows):
    trial = serializers.CharField(source="trial.identifier")
    site_code = serializers.CharField(source="site.code")
    birth = serializers.CharField(help_text="As precise as known: 1970, 1970-01 or 1970-01-31.")

    class Meta:
        model = models.Patient
        fields = [
            "id",
            "identifier",
            "screening_number",
            "rescreening_of",
            "trial",
            "site",
            "site_code",
            "sex_at_birth",
            "birth",
            "state",
            "registered_at",
        ]


class Register(serializers.Serializer):
    site = Key(help_text="Primary key of the site.")
    sex_at_birth = Line(max_length=10, help_text="F, M or U (unknown).")
    birth = Line(max_length=32, help_text="1970, 1970-01 or 1970-01-31.")


class CorrectPatient(serializers.Serializer):
    sex_at_birth = Line(max_length=10, help_text="F, M or U (unknown).")
    birth = Line(max_length=32, help_text="1970, 1970-01 or 1970-01-31.")
    reason = Line(max_length=500)


class Consent(Rows):
    class Meta:
        model = models.Consent
        fields = [
            "id",
            "patient",
            "version",
            "language",
            "signed_at",
            "signatory",
            "obtained_by",
            "obtained_by_user",
            "copy_given",
            "options",
            "withdrawn_at",
            "recorded_at",
        ]


class RecordConsent(serializers.Serializer):
    version = Line(max_length=40)
    language = Line(max_length=10)
    signed_at = Line(max_length=40, help_text="A date, or a date and time with zone.")
    signatory = Line(max_length=40, help_text="patient, representative or witnessed.")
    obtained_by = Line(max_length=120, help_text="Who explained the trial.", default="")
    obtained_by_user = Key(
        default=None,
        allow_null=True,
        help_text="Who explained the trial, if it is a user; judged by the delegation log.",
    )
    copy_given = serializers.BooleanField(allow_null=True, default=None)
    options = CleanJSONField(
        default=dict, help_text="Optional consents: biobank, image_sharing, second_scan."
    )


class Reason(serializers.Serializer):
    reason = Line(max_length=500)


class Evidence(Rows):
    value = CleanJSONField(help_text="In `unit`; null is unknown, [] is asserted none.")
    form_entry = serializers.IntegerField(
        source="item_value.entry_id",
        default=None,
        allow_null=True,
        read_only=True,
        help_text="The form that tells it: corrected there and nowhere else.",
    )
    is_void = serializers.BooleanField(
        read_only=True, help_text="The form says nothing any more: no criterion reads it."
    )
    recorded_by = serializers.StringRelatedField()

    class Meta:
        model = models.Evidence
        fields = [
            "id",
            "patient",
            "scheduled_scan",
            "variable",
            "value",
            "unit",
            "observed_at",
            "is_study_specific",
            "source",
            "details",
            "form_entry",
            "is_void",
            "superseded_by",
            "recorded_by",
            "recorded_at",
        ]


class Fact(serializers.Serializer):
    """What every entry of evidence says, the first as well as a correction."""

    value = CleanJSONField(allow_null=True, help_text="In `unit`.")
    unit = Line(max_length=30, allow_blank=True, default="")
    observed_at = Line(max_length=40, help_text="2026, 2026-03, 2026-03-02 or with time and zone.")
    source = Line(max_length=200, help_text="The document, device or person it is from.")
    details = CleanJSONField(
        default=None,
        allow_null=True,
        help_text="What belongs to the value: specimen, method, reference range, criteria set.",
    )


class RecordEvidence(Fact):
    variable = Line(max_length=60)
    is_study_specific = serializers.BooleanField(
        help_text="Study-specific procedures need consent first."
    )
    scheduled_scan = Key(allow_null=True, default=None)


class CorrectEvidence(Fact):
    reason = Line(max_length=500)


class Result(Rows):
    criterion = serializers.CharField(source="criterion.identifier")
    category = serializers.CharField(source="criterion.category")
    text = serializers.CharField(source="criterion.text")
    evidence = serializers.SerializerMethodField(help_text="Primary keys of what it was judged on.")

    class Meta:
        model = models.CriterionResult
        fields = [
            "criterion",
            "category",
            "text",
            "outcome",
            "word",
            "reason",
            "is_provisional",
            "evidence",
            "workings",
        ]

    def get_evidence(self, row: models.CriterionResult) -> list[int]:
        return [one.pk for one in row.evidence.all()]


class Assessment(Rows):
    version = serializers.CharField(source="version.label")
    assessed_by = serializers.StringRelatedField()
    results = Result(many=True)

    class Meta:
        model = models.EligibilityAssessment
        fields = [
            "id",
            "patient",
            "scheduled_scan",
            "version",
            "gate",
            "verdict",
            "assessed_at",
            "assessed_by",
            "software_version",
            "engine",
            "inputs_sha256",
            "results",
        ]


class Assess(serializers.Serializer):
    gate = serializers.ChoiceField(choices=models.EligibilityCriterion.Gate.choices)
    scheduled_scan = Key(allow_null=True, default=None)


class Injection(Rows):
    recorded_by = serializers.StringRelatedField()
    injected_by = serializers.StringRelatedField()
    calibrator_ahead_s = serializers.FloatField(
        allow_null=True,
        help_text="Seconds the dose calibrator's clock was ahead, corrected for. Null: not "
        "checked.",
    )
    net_activity_mbq = serializers.FloatField(
        help_text="Assayed less residual, both decay-corrected to the injection, MBq."
    )
    half_life_s = serializers.FloatField(help_text="Of the radionuclide, s.")

    class Meta:
        model = models.Injection
        fields = [
            "assayed_activity_mbq",
            "assayed_at",
            "residual_activity_mbq",
            "residual_at",
            "injected_at",
            "injected_by",
            "batch",
            "scanner",
            "route",
            "body_site",
            "extravasation",
            "comment",
            "despite",
            "confirmed_differences",
            "weight_kg",
            "height_cm",
            "net_activity_mbq",
            "half_life_s",
            "calibrator_ahead_s",
            "version",
            "recorded_by",
            "recorded_at",
        ]


class GivenInjection(serializers.Serializer):
    assayed_activity_mbq = serializers.FloatField(help_text="MBq in the syringe before.")
    assayed_at = Moment()
    residual_activity_mbq = serializers.FloatField(
        allow_null=True, default=None, help_text="MBq left after; null is not measured, not zero."
    )
    residual_at = Moment(allow_null=True, default=None)
    injected_at = Moment()
    route = Line(max_length=40, default="intravenous")
    weight_kg = serializers.FloatField(help_text="kg on the day of the scan.")
    height_cm = serializers.FloatField(allow_null=True, default=None, help_text="cm.")
    batch = Key(allow_null=True, default=None, help_text="Primary key of a batch of the site.")
    scanner = Key(allow_null=True, default=None, help_text="Primary key of a scanner of the site.")
    body_site = Line(max_length=60, default="", allow_blank=True)
    extravasation = serializers.ChoiceField(
        choices=models.Injection.Extravasation.choices,
        default=models.Injection.Extravasation.NOT_STATED,
    )
    comment = Line(max_length=400, default="", allow_blank=True)
    is_difference_confirmed = serializers.BooleanField(
        default=False,
        help_text="That the record is as its source, where the images are there and say otherwise.",
    )


class HeaderStatement(Rows):
    """What the headers of the images state of the injection, on the real calendar."""

    class Meta:
        model = models.HeaderStatement
        fields = [
            "injected_at",
            "activity_mbq",
            "weight_kg",
            "height_cm",
            "manufacturer",
            "model",
            "source",
            "told_at",
        ]


class Glucose(serializers.Serializer):
    value = serializers.FloatField()
    unit = Line(max_length=20)
    measured_at = Line(max_length=40)


class RecordInjection(GivenInjection):
    despite = Line(
        max_length=400,
        default="",
        allow_blank=True,
        help_text="Why it was given although the gate is red; it becomes a deviation.",
    )
    glucose = Glucose(
        allow_null=True, default=None, help_text="Measured before; it becomes evidence of the scan."
    )


class CorrectInjection(GivenInjection, Reason):
    """The whole injection as it should have been recorded, and why it is corrected."""

    version = serializers.IntegerField(min_value=1, help_text="The version that is corrected.")


class VisitRecord(Rows):
    visit = serializers.CharField(source="planned_visit.identifier")
    recorded_by = serializers.StringRelatedField()

    class Meta:
        model = models.VisitRecord
        fields = [
            "id",
            "visit",
            "took_place_at",
            "performed_by",
            "undone_because",
            "recorded_by",
            "recorded_at",
        ]


class HeldVisit(serializers.Serializer):
    took_place_at = Line(max_length=32, help_text="2026-03-02, or with time and zone.")
    performed_by = Line(max_length=120, help_text="Who of the site saw or called the patient.")


class RecordVisit(HeldVisit):
    visit = Line(max_length=40, help_text="Its identifier in the version in force.")


class CorrectVisit(HeldVisit, Reason):
    """The visit as it should have been recorded, and why it is corrected."""


class DatedVisit(serializers.Serializer):
    """A planned visit with its window and how it stands now."""

    visit = serializers.CharField(source="dated.visit.identifier")
    label = serializers.CharField(source="dated.visit.label")
    standing = serializers.CharField(source="dated.standing")
    target_at = serializers.DateTimeField(source="dated.target_at", allow_null=True)
    opens_at = serializers.DateTimeField(source="dated.opens_at", allow_null=True)
    closes_at = serializers.DateTimeField(source="dated.closes_at", allow_null=True)
    at = serializers.DateTimeField(source="dated.at", allow_null=True)
    is_provisional = serializers.BooleanField(source="dated.is_provisional")
    record = VisitRecord(allow_null=True)


class WorkLine(serializers.Serializer):
    """One thing a site has to do within a week."""

    patient = serializers.IntegerField(source="patient.pk")
    patient_identifier = serializers.CharField(source="patient.identifier")
    trial = serializers.CharField(source="patient.trial.identifier")
    site = serializers.CharField(source="patient.site.code")
    what = serializers.CharField()
    standing = serializers.CharField()
    at = serializers.DateTimeField(allow_null=True)
    until = serializers.DateTimeField(allow_null=True)
    is_provisional = serializers.BooleanField()


class GateCondition(serializers.Serializer):
    """One line of the gate of a scan day."""

    code = serializers.CharField()
    label = serializers.CharField()
    standing = serializers.ChoiceField(choices=["met", "unmet", "not checkable"])
    sentence = serializers.CharField()


class Scan(Rows):
    patient_identifier = serializers.CharField(source="patient.identifier")
    plan = serializers.CharField(source="planned_scan.identifier")
    label = serializers.CharField(source="planned_scan.label")
    tracer = serializers.CharField(source="planned_scan.tracer.identifier")
    injection = Injection(allow_null=True)
    header_statement = HeaderStatement(allow_null=True)

    class Meta:
        model = models.ScheduledScan
        fields = [
            "id",
            "patient",
            "patient_identifier",
            "planned_scan",
            "plan",
            "label",
            "tracer",
            "planned_at",
            "state",
            "injection",
            "header_statement",
        ]


class Schedule(serializers.Serializer):
    planned_scan = Key(help_text="Primary key of a planned scan of the protocol.")
    planned_at = Moment()


class Reschedule(Reason):
    planned_at = Moment()


class Message(Rows):
    author = serializers.StringRelatedField()

    class Meta:
        model = models.QueryMessage
        fields = ["id", "state", "text", "author", "written_at"]


class Query(Rows):
    trial = serializers.CharField(source="trial.identifier")
    opened_by = serializers.StringRelatedField()
    messages = Message(many=True)

    class Meta:
        model = models.Query
        fields = [
            "id",
            "trial",
            "site",
            "patient",
            "subject_table",
            "subject_pk",
            "rule",
            "text",
            "state",
            "opened_by",
            "opened_at",
            "messages",
        ]


class Subject(serializers.Serializer):
    """Which row of the record is meant, and what is to be said of it."""

    subject_table = Line(max_length=63, help_text="Its table, as trials_evidence.")
    subject_pk = Key()
    text = Text()


class Turn(serializers.Serializer):
    text = Text()


class Deviation(Rows):
    trial = serializers.CharField(source="patient.trial.identifier")
    recorded_by = serializers.StringRelatedField()

    class Meta:
        model = models.Deviation
        fields = [
            "id",
            "trial",
            "patient",
            "subject_table",
            "subject_pk",
            "rule",
            "text",
            "values",
            "is_important",
            "state",
            "recorded_by",
            "recorded_at",
        ]


class AuditEvent(Rows):
    before = serializers.JSONField(help_text="The changed columns as they were; null if new.")
    after = serializers.JSONField(help_text="The changed columns as they are since.")

    class Meta:
        model = models.AuditEvent
        fields = [
            "id",
            "at",
            "table",
            "row",
            "operation",
            "before",
            "after",
            "action",
            "reason",
            "actor",
            "actor_name",
            "request",
            "trial",
            "patient",
            "software_version",
        ]


class Job(Rows):
    class Meta:
        model = models.Job
        fields = [
            "id",
            "kind",
            "arguments",
            "state",
            "attempts",
            "progress",
            "error",
            "queued_at",
            "heartbeat_at",
            "finished_at",
        ]


class TrialFilter(serializers.Serializer):
    trial = Line(required=False, max_length=40, help_text="Identifier of a trial.")


class PatientFilter(TrialFilter):
    state = serializers.ChoiceField(required=False, choices=models.Patient.State.choices)


class AuditFilter(TrialFilter):
    patient = Line(required=False, max_length=40, help_text="Identifier or primary key.")
    table = Line(required=False, max_length=63)
    row = Line(required=False, max_length=63)


class QueryFilter(TrialFilter):
    patient = Key(required=False)
    state = serializers.ChoiceField(required=False, choices=models.Query.State.choices)


class DeviationFilter(TrialFilter):
    patient = Key(required=False)
    state = serializers.ChoiceField(required=False, choices=models.Deviation.State.choices)


class JobFilter(serializers.Serializer):
    kind = Line(required=False, max_length=60)
    state = serializers.ChoiceField(required=False, choices=models.Job.State.choices)


class ReadFinding(Rows):
    """One result of a signed read: a number in its unit, or a word; of a lesion, or of the scan."""

    scan = serializers.IntegerField(source="scheduled_scan_id")
    read = serializers.IntegerField(source="source_pk")
    reader = serializers.CharField(source="evaluator")
    number = serializers.FloatField(allow_null=True)

    class Meta:
        model = models.Finding
        fields = [
            "id",
            "scan",
            "read",
            "reader",
            "lesion_number",
            "location",
            "test",
            "number",
            "text",
            "unit",
            "method",
            "run",
            "software_version",
            "found_at",
        ]
