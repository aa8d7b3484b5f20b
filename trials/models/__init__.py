"""The record of a trial, table by table."""

from trials.models.accountability import AccountabilityReview, TracerMovement
from trials.models.allocation import Allocation, RandomisationListing, Unblinding
from trials.models.conduct import (
    CohortClosure,
    ConflictSettlement,
    ConsentVersion,
    Delegation,
    ProtocolActivation,
    Signature,
    SiteApproval,
)
from trials.models.counted_read import CountedRead
from trials.models.enrolment import Enrolment, ScreenFailure, SourceVerification, Withdrawal
from trials.models.finding import Finding
from trials.models.form import FormDraft, FormEntry, FormMove, ItemValue
from trials.models.form_import import FormImport, ImportedLine
from trials.models.monitoring import ActionItem, ActionItemTurn, MonitoringVisit
from trials.models.panel import PanelUnblinding
from trials.models.patient import (
    Consent,
    CriterionResult,
    EligibilityAssessment,
    Evidence,
    Patient,
)
from trials.models.people import ApiToken, CalendarFeed, Membership, SendingToken, User
from trials.models.record import AuditEvent, Deviation, Job, JobOrder, Query, QueryMessage
from trials.models.scan import HeaderStatement, Injection, ScheduledScan, VisitRecord
from trials.models.scan_day import Batch, ClockReading, Scanner, ScannerCheck
from trials.models.scope import EVERY_SITE, ScopedModel, ScopedQuerySet, WholeTrialQuerySet
from trials.models.trial import (
    Cohort,
    EligibilityCriterion,
    PlannedScan,
    PlannedVisit,
    ProtocolVersion,
    Site,
    Tracer,
    Trial,
)

__all__ = [
    "EVERY_SITE",
    "AccountabilityReview",
    "ActionItem",
    "ActionItemTurn",
    "Allocation",
    "ApiToken",
    "AuditEvent",
    "Batch",
    "CalendarFeed",
    "ClockReading",
    "Cohort",
    "CohortClosure",
    "ConflictSettlement",
    "Consent",
    "ConsentVersion",
    "CountedRead",
    "CriterionResult",
    "Delegation",
    "Deviation",
    "EligibilityAssessment",
    "EligibilityCriterion",
    "Enrolment",
    "Evidence",
    "Finding",
    "FormDraft",
    "FormEntry",
    "FormImport",
    "FormMove",
    "HeaderStatement",
    "ImportedLine",
    "Injection",
    "ItemValue",
    "Job",
    "JobOrder",
    "Membership",
    "MonitoringVisit",
    "PanelUnblinding",
    "Patient",
    "PlannedScan",
    "PlannedVisit",
    "ProtocolActivation",
    "ProtocolVersion",
    "Query",
    "QueryMessage",
    "RandomisationListing",
    "Scanner",
    "ScannerCheck",
    "ScheduledScan",
    "ScopedModel",
    "ScopedQuerySet",
    "ScreenFailure",
    "SendingToken",
    "Signature",
    "Site",
    "SiteApproval",
    "SourceVerification",
    "Tracer",
    "TracerMovement",
    "Trial",
    "Unblinding",
    "User",
    "VisitRecord",
    "WholeTrialQuerySet",
    "Withdrawal",
]
