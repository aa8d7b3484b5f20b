"""How far a patient has come in a trial, and the one act that comes next.

The order is that of the protocol: nobody is assessed without consent and evidence, enrolled
without a signed eligible verdict that still stands, or injected before the scan is scheduled. The
one mistake to fear is a verdict that no longer stands: `verdict` is None then, and the way
goes back to the assessment.
"""

from __future__ import annotations

from dataclasses import dataclass

STEPS = (
    "Screening",
    "Consent",
    "Evidence",
    "Eligible",
    "Signed",
    "Enrolled",
    "Scans",
    "Measured",
)
ENDED = {
    "withdrawn": "Withdrawn: nothing new is collected",
    "screen_failed": "Screening ended without enrolment",
}


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan of the patient: its key, what it is called, and its state."""

    pk: int
    label: str
    state: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What the record holds about a patient, as far as the way asks.

    `verdict` is that of the newest enrolment assessment if it still stands, None otherwise;
    `unscheduled` are the labels of planned scans that have no time yet.
    """

    state: str
    has_consent: bool
    has_evidence: bool
    verdict: str | None
    is_signed: bool = False
    scans: tuple[Scan, ...] = ()
    unscheduled: tuple[str, ...] = ()

    @property
    def was_enrolled(self) -> bool:
        return self.state in {"enrolled", "withdrawn"}


@dataclass(frozen=True, slots=True)
class Act:
    """Something to do: the page that does it, in words, the right it needs, the scan if any."""

    page: str
    label: str
    permission: str = ""
    scan: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the way: behind, here or ahead."""

    label: str
    is_done: bool
    is_current: bool


def next_act(standing: Standing) -> Act:
    """The act that brings this patient further.

    >>> next_act(Standing("screening", has_consent=False, has_evidence=False, verdict=None)).label
    'Record consent'
    """
    if standing.state in ENDED:
        return Act("", ENDED[standing.state])
    if standing.state == "screening":
        return _next_in_screening(standing)
    return _next_scan(standing)


def steps(standing: Standing) -> list[Step]:
    """The way as a line; the first step not done is where the patient is.

    >>> [s.label for s in steps(Standing("screening", True, False, None)) if s.is_current]
    ['Evidence']
    """
    done = _done(standing)
    here = next((i for i, is_done in enumerate(done) if not is_done), len(done) - 1)
    return [
        Step(label, is_done, is_current=place == here)
        for place, (label, is_done) in enumerate(zip(STEPS, done, strict=True))
    ]


def _next_in_screening(standing: Standing) -> Act:
    if not standing.has_consent:
        return Act("consent_new", "Record consent", "consent.record")
    if not standing.has_evidence:
        return Act("evidence_new", "Record evidence", "evidence.record")
    if standing.verdict is None:
        return Act("patient_assess", "Assess eligibility", "eligibility.assess")
    if standing.verdict == "eligible" and not standing.is_signed:
        return Act("verdict_sign", "Sign the verdict", "eligibility.sign")
    if standing.verdict == "eligible":
        return Act("patient_enrol", "Enrol", "patient.enrol")
    if standing.verdict == "not_evaluable":
        return Act("evidence_new", "Record the missing evidence", "evidence.record")
    return Act("screening_end", "Not eligible: end the screening", "patient.screen")


def _next_scan(standing: Standing) -> Act:
    for scan in standing.scans:
        if scan.state == "scheduled":
            return Act("scan", f"Prepare and inject: {scan.label}", "patient.view", scan.pk)
        if scan.state == "injected":
            return Act("upload", f"Upload images: {scan.label}", "images.upload", scan.pk)
    if standing.unscheduled:
        return Act("scan_new", f"Schedule: {standing.unscheduled[0]}", "scan.schedule")
    waiting = [scan for scan in standing.scans if scan.state == "images_received"]
    if waiting:
        return Act(
            "scan", f"Look after the images: {waiting[0].label}", "patient.view", waiting[0].pk
        )
    return Act("", "Nothing: every planned scan is measured")


def _done(standing: Standing) -> list[bool]:
    """Whether each step is behind, in the order of STEPS; a step needs all before it."""
    in_force = standing.verdict is not None
    scans = [scan.state for scan in standing.scans]
    have_images = bool(scans) and not standing.unscheduled
    have_images = have_images and all(s in {"images_received", "quantified"} for s in scans)
    single = [
        True,
        standing.has_consent or standing.was_enrolled,
        (standing.has_evidence and in_force and standing.verdict != "not_evaluable")
        or standing.was_enrolled,
        standing.verdict == "eligible" or standing.was_enrolled,
        (standing.verdict == "eligible" and standing.is_signed) or standing.was_enrolled,
        standing.was_enrolled,
        have_images,
        have_images and all(state == "quantified" for state in scans),
    ]
    return [all(single[: place + 1]) for place in range(len(single))]
