"""A whole record to look at: a patient with everything that can be known of one.

The images are a few small slices in the archive, assembled and measured by the services, so
that a derivation finds its voxel and a reader can place a region.
"""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from io import BytesIO
from itertools import count

import numpy as np
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from pydicom.dataset import Dataset

from imaging import storage
from imaging.headers import pet_header
from imaging.models import (
    DicomNode,
    DicomObject,
    GrownLesion,
    ImagingStudy,
    Instance,
    LesionComparison,
    PrivacyIncident,
    Quantification,
    Read,
    ReceivedFile,
    ReferenceRegion,
    Series,
    Transmittal,
)
from imaging.reference_regions import sphere
from imaging.services import (
    assembly,
    incidents,
    nodes,
    partial_uploads,
    quantification,
    reads,
    receiving,
)
from reporting.datasets import DATASETS
from reporting.formats import About
from reporting.manifest import Manifest
from reporting.models import Export, PopulationReview
from reporting.services import bundle, populations
from reporting.storage import exports as export_store
from tests import factories
from tests.factories import NOON
from tests.imaging.conftest import pet_dataset
from trials.models import (
    AccountabilityReview,
    ActionItem,
    Allocation,
    Batch,
    Consent,
    CriterionResult,
    Deviation,
    EligibilityAssessment,
    EligibilityCriterion,
    Evidence,
    FormEntry,
    FormImport,
    Injection,
    Job,
    Membership,
    Patient,
    PlannedScan,
    PlannedVisit,
    ProtocolVersion,
    Query,
    Scanner,
    ScheduledScan,
    SendingToken,
    Site,
    TracerMovement,
    Trial,
    User,
    VisitRecord,
)
from trials.roles import Role
from trials.selectors import accountability as tracers
from trials.services import (
    accountability,
    batches,
    consents,
    deviations,
    evidence,
    form_entries,
    form_imports,
    injections,
    jobs,
    monitoring,
    queries,
    scanners,
    scans,
    sending_tokens,
    visits,
)

_uids = count(1)
PLANES, ROWS, COLUMNS = 12, 24, 24
# The first plane, row and column of a hot block, and its edge in voxels.
Block = tuple[int, int, int]
BLOCK: Block = (4, 10, 10)
EDGE = 4


@dataclass(frozen=True)
class Record:
    """One patient of a site, and one of everything that belongs to a patient."""

    site: Site
    patient: Patient
    consent: Consent
    evidence: Evidence
    assessment: EligibilityAssessment
    scan: ScheduledScan
    injection: Injection
    transmittal: Transmittal
    run: Quantification
    # In a signed read of its own.
    grown: GrownLesion
    query: Query
    answered: Query
    deviation: Deviation
    acknowledged: Deviation
    # What still waits for its act: a patient to enrol, a plan to schedule, a syringe to fill,
    # an upload to go on with, images to decide about, a region to accept.
    screened: Patient
    unscheduled: PlannedScan
    visit: VisitRecord
    prepared: ScheduledScan
    receiving: Transmittal
    held: Transmittal
    unassigned: Transmittal
    region: ReferenceRegion
    incident: PrivacyIncident
    comparison: LesionComparison
    export: Export
    ordered_export: Export
    cancelled_export: Export
    batch: Batch
    scanner: Scanner
    node: DicomNode
    sending_token: SendingToken
    form: FormEntry
    draft: FormEntry
    form_import: FormImport
    allocation: Allocation
    movement: TracerMovement
    accountability_review: AccountabilityReview
    action_item: ActionItem
    population_review: PopulationReview

    @property
    def trial(self) -> Trial:
        return self.site.trial

    @property
    def series(self) -> Series:
        return self.run.series


def everyone(trial: Trial, *, site: Site | None = None) -> User:
    """A user who holds every role."""
    user = factories.make_user()
    grant_everything(user, trial=trial, site=site)
    return user


def grant_everything(user: User, *, trial: Trial, site: Site | None = None) -> None:
    with factories.framed():
        for role in Role:
            Membership.objects.create(
                user=user, trial=trial, site=site, role=role, starts_on=date(2026, 1, 1)
            )
    for one in [site] if site else trial.sites.all():
        factories.delegate(user, one)


def make_record(site: Site, *, by: User) -> Record:
    patient = factories.make_enrolled(site, by=by)
    scan = factories.make_scan(patient, by=by)
    fact = _fact(patient, by=by)
    injection = _injection(scan, by=by)
    run = make_measured(scan, by=by)
    stand_for_adrenals(run, by=by)
    prepared = factories.make_enrolled(site, by=by)
    ready = factories.make_scan(prepared, by=by)
    about = deviations.record(patient, text="early", by=by)
    return Record(
        site=site,
        patient=patient,
        consent=_consent(patient, by=by),
        evidence=fact,
        assessment=_assessment(patient, fact),
        scan=scan,
        injection=injection,
        transmittal=run.series.transmittal,
        run=run,
        grown=_grown(run, by=by),
        query=queries.open_query(patient, text="Which formula?", by=by),
        answered=queries.answer(
            queries.open_query(patient, text="Which scale?", by=by), text="Kitchen", by=by
        ),
        deviation=deviations.record(patient, text="late", by=by),
        acknowledged=deviations.acknowledge(about, text="seen", by=by),
        screened=_screened(site, by=by),
        unscheduled=_plan(scan.planned_scan),
        visit=_visit(scan.patient, by),
        prepared=ready,
        receiving=_receiving(ready, by=by),
        held=_held(scan, by=by),
        unassigned=_unassigned(site, by=by),
        region=propose(run, "spleen"),
        incident=_incident(scan, by=by),
        comparison=_comparison(run, by=by),
        export=_export(site.trial, by=by),
        ordered_export=_waiting(site.trial, by=by),
        cancelled_export=_waiting(site.trial, by=by, state=Export.State.CANCELLED),
        batch=_batch(site, by=by),
        scanner=scanners.register(
            site, name=f"PET {next(_uids)}", manufacturer="GE", model="Discovery", by=by
        ),
        node=nodes.register(site, called_ae_title=f"NODE{next(_uids)}", by=by),
        sending_token=sending_tokens.issue(
            site, name=f"PACS {next(_uids)}", expires_on=site.today(), by=by
        )[1],
        form=_form(patient, by=by),
        draft=form_entries.begin(patient, form="note", by=by),
        form_import=_form_import(prepared, by=by),
        allocation=factories.make_allocation(patient, by=by),
        movement=accountability.record(
            site, kind="ordered", tracer="PTF", doses=1, happened_at=NOON, by=by
        ),
        accountability_review=_accountability_review(site, by=by),
        action_item=_action_item(site, by=by),
        population_review=_population_review(site.trial),
    )


def read_anew(record: Record) -> Record:
    """The same rows from the database: what an earlier test set on an object is not there."""
    rows = {field.name: getattr(record, field.name) for field in fields(record)}
    return replace(record, **{name: type(row).objects.get(pk=row.pk) for name, row in rows.items()})


def _population_review(trial: Trial) -> PopulationReview:
    """The review of who is evaluable, which is open: by one who is blind, as everyone is not."""
    held = PopulationReview.objects.filter(trial=trial, population="EVAL").first()
    by = factories.make_user(Role.DATA_MANAGER, trial=trial)
    return held or populations.begin(trial, population="EVAL", by=by)


def _grown(run: Quantification, *, by: User) -> GrownLesion:
    """A region grown in place of the outline of the hot block, in a signed read."""
    read = reads.open_read(run.series, by=by)
    row = reads.grow(read, by=by, voxel=(5, 11, 11), instead_of=1)
    reads.decide(row, by=by, decision="accepted", region="liver")
    reads.sign(read, by=by, password=factories.PASSWORD)
    return row.grown


def propose(run: Quantification, kind: str) -> ReferenceRegion:
    """A region as a rule would propose it, in the even background of the slices."""
    values, grid = quantification.volume_of(run)
    found = sphere(values, grid=grid, centre_mm=(20.0, 20.0, 15.0), radius_mm=6.0)
    with factories.framed():
        return quantification.add_region(
            run, found, kind=kind, status="proposed", placed_by=jobs.system_user()
        )


def stand_for_adrenals(run: Quantification, *, by: User) -> None:
    """The left one in the hot block, the right one in the even background, as a reader would."""
    values, grid = quantification.volume_of(run)
    block = tuple(grid.voxel_to_patient([one + EDGE / 2 for one in BLOCK]))
    for kind, centre in (("adrenal_left", block), ("adrenal_right", (20.0, 20.0, 15.0))):
        found = sphere(values, grid=grid, centre_mm=centre, radius_mm=5.0)
        with factories.framed():
            quantification.add_region(run, found, kind=kind, status="placed", placed_by=by)


def _batch(site: Site, *, by: User) -> Batch:
    """A batch that still waits for its release."""
    return batches.record(
        site,
        tracer="PTF",
        number=f"B{next(_uids)}",
        calibration_activity_mbq=1000.0,
        calibrated_at=NOON,
        expires_at=NOON + timedelta(hours=4),
        by=by,
    )


def _accountability_review(site: Site, *, by: User) -> AccountabilityReview:
    seen = tracers.frozen(site, "PTF").sha256
    return accountability.review(site, tracer="PTF", seen=seen, password=factories.PASSWORD, by=by)


def _action_item(site: Site, *, by: User) -> ActionItem:
    """Of a visit whose report waits for its signature."""
    visit = monitoring.record(
        site, kind="interim", held_on=NOON.date(), attendees="A. Monitor", summary="Files", by=by
    )
    return monitoring.add_item(
        visit, text="File it", owner="Coordinator", due_on=NOON.date(), by=by
    )


def _screened(site: Site, *, by: User) -> Patient:
    """A patient in screening, with a signed eligible verdict that stands."""
    patient = factories.make_patient(site, by=by)
    factories.make_consent(patient, by=by)
    factories.sign(factories.make_assessment(patient, by=by))
    return patient


def _visit(patient: Patient, by: User) -> VisitRecord:
    """A visit that was recorded; CALL is still to be."""
    version = patient.site.version_in_force
    with factories.framed():
        for position, name in enumerate(("CALL", "SEEN"), start=1):
            seen, _ = PlannedVisit.objects.get_or_create(
                version=version, identifier=name, defaults={"position": position, "label": name}
            )
    return visits.record(
        patient, visit=seen, took_place_at="2026-03-01", performed_by="Dr Who", by=by
    )


def _form(patient: Patient, *, by: User) -> FormEntry:
    """A complete form of one item, which the version in force asks as often as it happens."""
    version = patient.site.version_in_force
    text = {"identifier": "text", "label": "Note", "type": "text"}
    note = {"identifier": "note", "label": "Note", "is_repeating": True, "items": [text]}
    with factories.framed():
        version.definition |= {"forms": [note]}
        version.save(update_fields=["definition"])
    entry = form_entries.begin(patient, form="note", by=by)
    return form_entries.complete(entry, given={"text": "well"}, revision=1, by=by)


def _form_import(patient: Patient, *, by: User) -> FormImport:
    """A file with one new form, to be confirmed."""
    return form_imports.receive(
        patient.trial,
        form="note",
        content=f"patient,repeat,text\n{patient},1,well\n".encode(),
        file_name="notes.csv",
        source="the hospital",
        import_id=f"notes {patient}",
        by=factories.make_user(Role.DATA_MANAGER, trial=patient.trial),
    )


def _plan(like: PlannedScan) -> PlannedScan:
    """Another scan that the protocol plans."""
    with factories.framed():
        return PlannedScan.objects.create(
            version=like.version,
            tracer=like.tracer,
            identifier=f"scan_{next(_uids)}",
            label="Another scan",
            segmentation=like.segmentation,
        )


def _receiving(scan: ScheduledScan, *, by: User) -> Transmittal:
    """An upload that began with one file."""
    transmittal = receiving.open_transmittal(scan, by=by)
    receiving.receive(transmittal, files=[SimpleUploadedFile("0.dcm", b"first")], by=by)
    partial_uploads.begin(transmittal, sha256="1" * 64, size=2**27, by=by)
    return transmittal


def _held(scan: ScheduledScan, *, by: User) -> Transmittal:
    with factories.framed():
        return Transmittal.objects.create(
            site=scan.patient.site,
            scheduled_scan=scan,
            state=Transmittal.State.QUARANTINED,
            code="several-studies",
            message="Check that the images are of this patient.",
            sent_by=by,
            completed_at=timezone.now(),
        )


def _unassigned(site: Site, *, by: User) -> Transmittal:
    """What a scanner sent to the site, of a patient nobody has named yet."""
    with factories.framed():
        return Transmittal.objects.create(
            site=site,
            source=Transmittal.Source.STORE,
            sender="PETCT1",
            state=Transmittal.State.QUARANTINED,
            code="not-assigned",
            message="Say which scheduled scan these images are of.",
            sent_by=by,
            completed_at=timezone.now(),
        )


def _incident(scan: ScheduledScan, *, by: User) -> PrivacyIncident:
    """Judged, and nothing of it is held any more."""
    transmittal = _held(scan, by=by)
    made = incidents.report(transmittal, text="Two people in one folder.", by=by)
    return incidents.judge(made, notification="none", basis="Nobody saw them.", by=by)


def _comparison(run: Quantification, *, by: User) -> LesionComparison:
    """A draft that compares two reads which no longer stand."""
    with factories.framed():
        first, second = (
            Read.objects.create(quantification=run, reader=by, state=Read.State.OVERTAKEN)
            for _ in range(2)
        )
        return LesionComparison.objects.create(
            kind=LesionComparison.Kind.TIMES,
            first=first,
            second=second,
            reader=by,
            parameters={"least_overlap": 0.25, "largest_distance_mm": 15.0},
            software_version="test",
        )


def _waiting(trial: Trial, *, by: User, state: str = Export.State.REQUESTED) -> Export:
    """An export that no worker takes."""
    with factories.framed():
        return Export.objects.create(trial=trial, reason="later", requested_by=by, state=state)


def _export(trial: Trial, *, by: User) -> Export:
    """A frozen export of one empty dataset: what is in one, the tests of reporting look at."""
    now, file = timezone.now(), BytesIO()
    with factories.framed():
        export = Export.objects.create(trial=trial, reason="interim", requested_by=by)
        manifest = bundle.write(
            file,
            datasets={"lesions": DATASETS["lesions"]},
            rows=lambda _: iter(()),
            formats=(),
            about=About(study=trial.identifier, export=export.pk, as_of=now, software="test"),
            described=lambda files: Manifest(
                export=export.pk,
                trial=trial.identifier,
                is_demo=False,
                protocol_version="1.0",
                protocol_sha256="0" * 64,
                as_of=now,
                audit_event=1,
                snapshot="1:1:",
                software_version="test",
                requested_by=by.username,
                requested_at=now,
                reason="interim",
                formats=("csv",),
                files=files,
            ),
        )
        export.state, export.as_of, export.audit_event = Export.State.FROZEN, now, 1
        export.manifest = manifest.to_json()
        export.sha256, export.size = export_store.write([file.getvalue()])
        export.signature, export.signing_key_sha256 = b64encode(bytes(64)).decode(), "0" * 64
        export.save()
    return export


def _consent(patient: Patient, *, by: User) -> Consent:
    return consents.record(
        patient,
        version="1.0",
        language="en",
        signed_at="2026-03-01",
        signatory="patient",
        obtained_by="I. Investigator",
        copy_given=True,
        by=by,
    )


def _fact(patient: Patient, *, by: User) -> Evidence:
    return evidence.record(
        patient,
        variable="height",
        value=170,
        unit="cm",
        observed_at="2026-03-01",
        is_study_specific=False,
        source="medical record",
        by=by,
    )


def _assessment(patient: Patient, fact: Evidence) -> EligibilityAssessment:
    """The newest assessment, with a result of one criterion on one fact."""
    made = patient.assessments.first()
    with factories.framed():
        criterion = _criterion(made.version, "I1", EligibilityCriterion.Gate.ENROLMENT)
        _criterion(made.version, "I2", EligibilityCriterion.Gate.PRE_INJECTION)
        result = CriterionResult.objects.create(
            assessment=made,
            criterion=criterion,
            outcome=CriterionResult.Outcome.MET,
            word="satisfied",
            reason="170 cm",
        )
        result.evidence.add(fact)
    return made


def _criterion(version: ProtocolVersion, identifier: str, gate: str) -> EligibilityCriterion:
    found, _ = EligibilityCriterion.objects.get_or_create(
        version=version,
        identifier=identifier,
        defaults={
            "position": int(identifier[1:]),
            "category": EligibilityCriterion.Category.INCLUSION,
            "text": "Taller than a metre",
            "expression": {"op": "ge", "var": "height", "value": 100, "unit": "cm"},
            "gate": gate,
            "provenance": EligibilityCriterion.Provenance.SOURCE,
        },
    )
    return found


def add_more(record: Record, *, by: User) -> None:
    """One more of what a patient has several of."""
    patient = record.patient
    _consent(patient, by=by)
    fact = _fact(patient, by=by)
    with factories.framed():
        made = patient.assessments.first()
        made.pk, made._state.adding = None, True
        made.assessed_at = timezone.now()
        made.save()
    _assessment(patient, fact)
    plan = _plan(record.scan.planned_scan)
    scan = scans.schedule(patient, planned_scan=plan, planned_at=NOON, by=by)
    _injection(scan, by=by)


def _injection(scan: ScheduledScan, *, by: User) -> Injection:
    return injections.record(
        scan,
        assayed_activity_mbq=150.0,
        assayed_at=NOON,
        residual_activity_mbq=1.0,
        residual_at=NOON + timedelta(minutes=5),
        injected_at=NOON,
        route="intravenous",
        weight_kg=70.0,
        height_cm=170.0,
        despite="not assessed before",
        by=by,
    )


def make_measured(
    scan: ScheduledScan,
    *,
    by: User,
    blocks: Sequence[Block] = (BLOCK,),
    frame: str = "",
    stored: int = 20_000,
    planes: int = PLANES,
    draw: Callable[[Dataset, int], None] | None = None,
) -> Quantification:
    """A series of small slices with hot blocks, released, assembled and measured.

    `draw` gives each slice another picture, by its plane.
    """
    series = _released(
        scan, by=by, blocks=blocks, frame=frame, stored=stored, planes=planes, draw=draw
    )
    with factories.framed():
        job = jobs.enqueue("imaging.assemble", actor=by, transmittal=series.transmittal_id)
    assembly.build(jobs.claim(job.pk))
    measuring = Job.objects.get(kind="imaging.quantify", arguments__series=series.pk)
    quantification.run(jobs.claim(measuring.pk))
    return series.quantifications.get()


def segmentation_of(run: Quantification) -> DicomObject:
    """A file that stands for that of a run."""
    sha256, size = storage.archive.write([b"segmentation"])
    with factories.framed():
        return DicomObject.objects.get_or_create(
            quantification=run,
            kind="SEG",
            defaults={"sha256": sha256, "size": size, "header": {}},
        )[0]


def _released(
    scan: ScheduledScan,
    *,
    by: User,
    blocks: Sequence[Block] = (BLOCK,),
    frame: str = "",
    stored: int = 20_000,
    planes: int = PLANES,
    draw: Callable[[Dataset, int], None] | None = None,
) -> Series:
    study_uid = f"1.2.{next(_uids)}"
    with factories.framed():
        transmittal = Transmittal.objects.create(
            site=scan.patient.site,
            scheduled_scan=scan,
            state=Transmittal.State.RELEASED,
            sent_by=by,
            completed_at=timezone.now(),
        )
        study = ImagingStudy.objects.create(scheduled_scan=scan, study_instance_uid=study_uid)
        series = Series.objects.create(
            imaging_study=study,
            transmittal=transmittal,
            series_instance_uid=f"{study_uid}.1",
            modality="PT",
        )
        for plane in range(planes):
            ds = _slice(series, plane, blocks, frame, stored)
            if draw:
                draw(ds, plane)
            _instance(series, ds, plane)
    return series


def add_slices(run: Quantification, planes: Iterable[int], *, blocks: Sequence[Block]) -> None:
    """More slices of a series that was measured: above it, or with negative numbers below."""
    with factories.framed():
        for plane in planes:
            _instance(run.series, _slice(run.series, plane, blocks, ""), plane)


def _instance(series: Series, ds: Dataset, plane: int) -> None:
    data = io.BytesIO()
    ds.save_as(data, enforce_file_format=True)
    sha256, size = storage.archive.write([data.getvalue()])
    file = ReceivedFile.objects.create(
        transmittal=series.transmittal,
        position=plane % 1000,
        sha256=sha256,
        size=size,
        state=ReceivedFile.State.RELEASED,
    )
    Instance.objects.create(
        series=series,
        received_file=file,
        sop_instance_uid=ds.SOPInstanceUID,
        sha256=sha256,
        size=size,
        header=pet_header(ds).to_json(),
        deidentification={},
    )


def _slice(
    series: Series, plane: int, blocks: Sequence[Block], frame: str, stored: int = 20_000
) -> Dataset:
    ds = pet_dataset()
    ds.FrameOfReferenceUID = frame or ds.FrameOfReferenceUID
    ds.PatientName = ds.PatientID = series.imaging_study.scheduled_scan.patient.identifier
    ds.StudyInstanceUID = series.imaging_study.study_instance_uid
    ds.SeriesInstanceUID = series.series_instance_uid
    ds.SOPInstanceUID = f"{ds.SeriesInstanceUID}.{plane % 1000 + 1}"
    ds.InstanceNumber, ds.NumberOfSlices = plane % 1000 + 1, PLANES
    ds.ImagePositionPatient = [0, 0, 3 * plane]
    ds.Rows, ds.Columns = ROWS, COLUMNS
    pixels = np.full((ROWS, COLUMNS), 1000, dtype=np.int16)
    for planes, rows, columns in blocks:
        if planes <= plane < planes + EDGE:
            pixels[rows : rows + EDGE, columns : columns + EDGE] = stored
    ds.PixelData = pixels.tobytes()
    return ds
