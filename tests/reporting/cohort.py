"""A small cohort with every kind of row an export holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from imaging.models import (
    ConformanceFinding,
    GrownLesion,
    GrownMirrorImage,
    ImagingStudy,
    Lesion,
    LesionComparison,
    LesionPair,
    LesionRatio,
    LesionRead,
    Quantification,
    Read,
    ReaderAgreement,
    RecistLesion,
    ReferenceRegion,
    ResponseEvaluation,
    Series,
    Transmittal,
)
from tests import factories
from tests.factories import NOON
from trials.models import (
    Batch,
    CriterionResult,
    EligibilityAssessment,
    EligibilityCriterion,
    Patient,
    PlannedScan,
    ScheduledScan,
    Site,
    Trial,
    User,
)
from trials.roles import Role
from trials.selectors import accountability as accountable
from trials.services import (
    accountability,
    batches,
    consents,
    deviations,
    evidence,
    findings,
    injections,
    jobs,
    monitoring,
    queries,
)
from trials.services.findings import Result

INPUT_SHA256 = "ab" * 32


@dataclass(frozen=True)
class Cohort:
    """A trial with one site, its coordinator and its statistician."""

    trial: Trial
    site: Site
    coordinator: User
    statistician: User


def make_cohort(size: int = 1) -> Cohort:
    """A trial whose patients were each scanned and measured once."""
    trial = factories.make_trial()
    site = factories.make_site(trial)
    coordinator = factories.make_user(Role.COORDINATOR, trial=trial, site=site)
    cohort = Cohort(trial, site, coordinator, factories.make_user(Role.STATISTICIAN, trial=trial))
    for _ in range(size):
        add_patient(cohort)
    return cohort


def add_patient(cohort: Cohort) -> Patient:
    """One more patient with a row in every dataset."""
    by = cohort.coordinator
    patient = factories.make_enrolled(cohort.site, by=by)
    consents.record(
        patient,
        version="1.0",
        language="en",
        signed_at="2026-02-01",
        signatory="patient",
        obtained_by="Dr Canary",
        copy_given=None,
        by=by,
    )
    fact = _record(patient, by, "creatinine", 0.9, "mg/dL")
    _record(patient, by, "birth_date", "1961-04-23", "")
    assess(patient, by, fact)
    scan = factories.make_scan(patient, by=by)
    with factories.framed():
        # Of a scan that nobody was given: a row of retests, and no second scan in every test.
        PlannedScan.objects.filter(pk=scan.planned_scan_id).update(
            retest={"of": "before", "quantities": ["suvmax"], "organs": ["liver"]}
        )
    injections.record(
        scan,
        assayed_activity_mbq=190.1,
        assayed_at=NOON - timedelta(minutes=10),
        residual_activity_mbq=None,
        residual_at=None,
        injected_at=NOON,
        route="intravenous",
        batch=_batch(cohort.site, by=by),
        body_site="left cubital vein",
        extravasation="none",
        comment="given slowly",
        weight_kg=70.5,
        height_cm=None,
        by=by,
    )
    measure(scan, by=by)
    accountability.record(
        cohort.site, kind="ordered", tracer="PTF", doses=1, happened_at=NOON, by=by
    )
    _hypothesis(cohort.trial)
    _reviewed(cohort.site)
    _visited(cohort.site)
    factories.make_allocation(patient, by=by, masking="open")
    deviations.record(scan, text='=HYPERLINK("http://x")', by=by)
    return patient


def _batch(site: Site, *, by: User) -> Batch:
    """Another batch with its certificate: each patient's own."""
    return batches.record(
        site,
        tracer="PTF",
        number=f"B-{site.batches.count() + 1}",
        calibration_activity_mbq=900.0,
        calibrated_at=NOON - timedelta(hours=1),
        expires_at=NOON + timedelta(hours=3),
        released_at=NOON - timedelta(minutes=30),
        released_by="Q. Person",
        certificate="CoA 17",
        volume_ml=8.5,
        substance_mass_ug=21.0,
        radiochemical_purity_percent=98.4,
        ph=7.1,
        germanium_breakthrough_percent=0.0002,
        by=by,
    )


def _hypothesis(trial: Trial) -> None:
    """One more hypothesis of the protocol."""
    version = trial.newest_version
    stated = version.definition.get("hypotheses") or {"order": "each", "tests": []}
    number = len(stated["tests"]) + 1
    one = {
        "identifier": f"H{number}",
        "label": "Better",
        "kind": "superiority",
        "measure": "positivity",
        "level": "patient",
        "first": "scan_ptf",
        "second": "scan_fdg",
        "alpha": 0.05,
        "variant": "exact",
    }
    stated = stated | {"tests": [*stated["tests"], one]}
    scans = [{"identifier": "scan_ptf", "label": "Pentixafor PET/CT"}]
    with factories.framed():
        version.definition |= {"hypotheses": stated, "planned_scans": scans}
        version.save(update_fields=["definition"])


def _reviewed(site: Site) -> None:
    """The accountability of the tracer, as a monitor signs it."""
    accountability.review(
        site,
        tracer="PTF",
        seen=accountable.frozen(site, "PTF").sha256,
        password=factories.PASSWORD,
        by=factories.make_user(Role.MONITOR, trial=site.trial, site=site),
    )


def _visited(site: Site) -> None:
    """A monitoring visit with an action item."""
    by = factories.make_user(Role.MONITOR, trial=site.trial, site=site)
    visit = monitoring.record(
        site,
        kind="interim",
        held_on=site.today(),
        attendees="A. Canary",
        summary="Consents",
        findings="=1+1",
        by=by,
    )
    monitoring.add_item(visit, text="File the consent", owner="Canary", due_on=site.today(), by=by)


def _record(patient: Patient, by: User, variable: str, value, unit: str):
    return evidence.record(
        patient,
        variable=variable,
        value=value,
        unit=unit,
        observed_at="2026-02-27",
        is_study_specific=False,
        source="letter of Dr Canary",
        by=by,
    )


def assess(patient: Patient, by: User, fact) -> None:
    """A newer assessment of the enrolment gate, judged on one fact."""
    version = patient.site.version_in_force
    with factories.framed():
        criterion, _ = EligibilityCriterion.objects.get_or_create(
            version=version,
            identifier="EX1",
            defaults={
                "position": 1,
                "category": "exclusion",
                "text": "eGFR below 30",
                "expression": {},
                "gate": "enrolment",
                "provenance": "source",
            },
        )
        assessment = EligibilityAssessment.objects.create(
            patient=patient,
            version=version,
            gate="enrolment",
            verdict="eligible",
            assessed_at=factories.datetime.now(factories.UTC),
            assessed_by=by,
            software_version="test",
        )
        result = CriterionResult.objects.create(
            assessment=assessment,
            criterion=criterion,
            outcome="not_met",
            word="satisfied",
            reason="born 1961-04-23",
        )
        result.evidence.add(fact)


def measure(scan: ScheduledScan, *, by: User) -> Quantification:
    """A current run with two lesions, a blood pool and their ratios, and one run before."""
    with factories.framed():
        transmittal = Transmittal.objects.create(
            site=scan.patient.site,
            scheduled_scan=scan,
            state="quantified",
            sent_by=by,
            completed_at=NOON,
        )
        study = ImagingStudy.objects.create(scheduled_scan=scan, study_instance_uid="2.25.1")
        series = Series.objects.create(
            imaging_study=study,
            transmittal=transmittal,
            series_instance_uid="2.25.2",
            modality="PT",
            state="quantified",
            counts=True,
            assembly={"spacing": [3.0, 4.0, 4.0]},
            counting="the only PET series of the scan",
        )
        ConformanceFinding.objects.create(
            series=series, rule="ct-missing", severity="major", text="No CT came with the PET."
        )
        _run(series, number=1, is_current=False)
        run = _run(series, number=2, is_current=True)
        region = ReferenceRegion.objects.create(
            quantification=run,
            kind="blood_pool",
            status="placed",
            centre_mm=[0.0, -10.5, 300.0],
            radius_mm=8.0,
            voxel_count=65,
            suvmean=1.5,
            suv_sd=0.1,
            placed_by=jobs.system_user(),
        )
        for lesion in run.lesions.all():
            LesionRatio.objects.create(
                lesion=lesion,
                region=region,
                tbr=lesion.suvmax / 1.5,
                tbr_peak=lesion.suvpeak / 1.5,
                tbr_mean=lesion.suvmean / 1.5,
            )
        _findings(scan, run, by=by)
        queries.raise_by_rule(series, rule="weight-differs", text="Which weight is right?")
        _compare(run, readers=(jobs.system_user(), by))
        _respond(run, scan, reader=by)
    return run


def _compare(run: Quantification, *, readers: tuple[User, User]) -> None:
    """A signed comparison: one lesion in both, one in the first alone. As rows: nothing is read."""
    first, second = (_signed_read(run, reader=one) for one in readers)
    ReaderAgreement.objects.create(
        first=first,
        second=second,
        question="lesion-number",
        first_answer="2",
        second_answer="1",
        is_comparable=True,
        is_discordant=True,
        is_asked=True,
    )
    seen = [
        LesionRead.objects.create(
            read=read, lesion=lesion, number=lesion.number, decision="accepted", region="liver"
        )
        for read, lesion in ((first, run.lesions.first()), (second, run.lesions.first()))
    ]
    _grow(first)
    alone = LesionRead.objects.create(
        read=first, lesion=run.lesions.last(), number=2, decision="accepted"
    )
    comparison = LesionComparison.objects.create(
        kind="times",
        first=first,
        second=second,
        reader=readers[0],
        parameters={},
        software_version="test",
        state="signed",
        signed_at=NOON,
    )
    LesionPair.objects.create(
        comparison=comparison,
        number=1,
        first=seen[0],
        second=seen[1],
        outcome="both",
        matched_by="overlap",
        shared_ml=2.5,
        dice=1.0,
        distance_mm=0.0,
        region="liver",
        status="confirmed",
    )
    LesionPair.objects.create(
        comparison=comparison, number=2, first=alone, outcome="first-only", status="confirmed"
    )
    # Taken apart since.
    LesionPair.objects.create(
        comparison=comparison, number=3, first=alone, outcome="first-only", status="rejected"
    )


def _grow(read: Read) -> None:
    """A lesion that the reader grew, and its accepted mirror image. As rows, unmeasured."""
    grown = GrownLesion.objects.create(
        read=read,
        suvmax=9.0,
        suvmean=6.0,
        suvpeak=7.5,
        suvpeak_definition="ibsi_global",
        volume_ml=2.0,
        total_uptake=12.0,
        voxel_count=42,
        suvmax_voxel=[1, 2, 3],
        centroid_mm=[0.0, 1.0, 2.0],
        has_partial_volume=False,
        extent_mm=[9.0, 8.0, 12.0],
        peak_leaves_image=False,
        clicked_voxel=[1, 2, 3],
        clicked_mm=[0.0, 1.0, 2.0],
        parameters={"method": "fixed", "threshold": 4.0},
        threshold=4.0,
        holds_hotter=False,
    )
    LesionRead.objects.create(read=read, grown=grown, number=3, decision="accepted")
    GrownMirrorImage.objects.create(
        grown=grown,
        plane={"point_mm": [0.0, 0.0, 0.0], "normal": [1.0, 0.0, 0.0], "correlation": 0.9},
        centre_mm=[-1.0, 1.0, 2.0],
        voxel_count=42,
        volume_ml=2.0,
        suvmean=0.75,
        suv_sd=0.1,
        accepted_at=NOON,
    )


def _respond(run: Quantification, scan: ScheduledScan, *, reader: User) -> None:
    """A response that stands, and the one that it took the place of. As rows: nothing is judged."""
    read = _signed_read(run, reader=reader)
    common = {
        "version": scan.planned_scan.version,
        "rule": "P",
        "criterion": "percist",
        "reader": reader,
        "later_read": read,
        "why": "PERCIST 1.0 PMR: SULpeak went from 8.0 to 4.0 g/mL (-50.0 %).",
        "numbers": [{"name": "Change of SULpeak", "value": -50.0, "unit": "%"}],
        "inputs": {},
        "inputs_sha256": INPUT_SHA256,
        "software_version": "test",
        "evaluated_at": NOON,
    }
    RecistLesion.objects.create(
        read=common["later_read"], lesion="T1", region="liver", state="measured", diameter_mm=21.5
    )
    earlier = ResponseEvaluation.objects.create(category="NE", is_current=False, **common)
    ResponseEvaluation.objects.create(
        category="PMR", flags=["scale-made-for-fdg"], supersedes=earlier, **common
    )


def _signed_read(run: Quantification, *, reader: User) -> Read:
    values = {"state": "signed", "signed_at": NOON}
    return Read.objects.get_or_create(quantification=run, reader=reader, defaults=values)[0]


def _findings(scan: ScheduledScan, run: Quantification, *, by: User) -> None:
    """What a signed read found, of the scan and of its first lesion."""
    read = _signed_read(run, reader=by)
    lesion = run.lesions.first()
    findings.record(
        scan,
        [
            Result("LESNUM", read, number=1),
            Result("VISPOS", read, text="positive"),
            Result("SUVMAX", lesion, number=lesion.suvmax, lesion=1, location="liver"),
            Result("SUVPEAK", lesion, number=lesion.suvpeak, lesion=1, method="ibsi_global"),
        ],
        source=read,
        by=by,
        at=NOON,
        run=run.run,
        software_version=run.software_version,
    )


def _run(series: Series, *, number: int, is_current: bool) -> Quantification:
    run = Quantification.objects.create(
        series=series,
        run=number,
        is_current=is_current,
        status="flagged",
        flags=["derived-image"],
        suvbw_factor=1 / 3,
        suvmax=12.25,
        uptake_minutes=61.5,
        parameters={"method": "fixed_threshold", "suv": 4.0, "minimum_volume_ml": 0.5},
        derivation={"factor_unit": "g/Bq", "reference": "1999-01-01T00:00:00"},
        input_sha256=INPUT_SHA256,
        software_version="test",
    )
    Lesion.objects.bulk_create(
        Lesion(
            quantification=run,
            number=place,
            suvmax=suvmax,
            suvmean=0.1 + 0.2,
            suvpeak=suvmax - 1,
            suvpeak_definition="sphere_1ml",
            volume_ml=2.5,
            total_uptake=2.5 * (0.1 + 0.2),
            voxel_count=40,
            suvmax_voxel=[10, 20, 30],
            centroid_mm=[-12.5, 3.0, 400.25],
            has_partial_volume=False,
            extent_mm=[9.0, 8.0, 12.5],
            peak_leaves_image=place == 2,
        )
        for place, suvmax in ((1, 12.25), (2, 6.0))
    )
    return run
