"""What leaves: each dataset and each of its columns, defined once.

The files, the codebook, the pages and the tests are all made from these definitions, so
that no column leaves without a label, a type, a unit and a privacy tag. Columns come from
here and never from the data: an empty trial gives the same columns as a full one.

What does not leave, in any dataset: names of people, the full date of birth, the offset of
the images' dates and anything dated by an image header (one such date beside a real one
gives the offset away), keys, and the numbers that blinded readers know a series by.

Origins are variables of SDTMIG 3.4; where SDTM has none of its own, the supplemental
qualifier that would carry the value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from imaging import reading_terms
from trials import finding_tests


class Type(StrEnum):
    """How the cells of a column are written; see reporting.csvtext."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    FLAG = "flag"
    MOMENT = "moment"
    PARTIAL_DATE = "partial date"


class Privacy(StrEnum):
    """What a column can tell about a person or about the blinding."""

    KEY = "key"
    QUASI = "quasi-identifier"
    HEALTH = "health"
    ALLOCATION = "allocation"
    TECHNICAL = "technical"
    FREE_TEXT = "free text"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: what it holds, in which unit, and where it comes from.

    `missing` says what an empty cell means; a column without it is never empty. `codes` are
    the values that can occur, with their meaning. `derivation` says how a value is computed
    that nobody entered.
    """

    name: str
    label: str
    type: Type
    privacy: Privacy
    unit: str = ""
    origin: str = ""
    missing: str = ""
    derivation: str = ""
    codes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Dataset:
    """A table: what a row of it is, which columns tell rows apart, and its columns.

    `table` is the table of the record a row is read from.
    """

    name: str
    label: str
    domain: str
    grain: str
    table: str
    keys: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def path(self) -> str:
        return f"data/{self.name}.csv"

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


TEXT, INTEGER, NUMBER = Type.TEXT, Type.INTEGER, Type.NUMBER
FLAG, MOMENT, PARTIAL_DATE = Type.FLAG, Type.MOMENT, Type.PARTIAL_DATE
KEY, QUASI, HEALTH = Privacy.KEY, Privacy.QUASI, Privacy.HEALTH
ALLOCATION, TECHNICAL, FREE_TEXT = Privacy.ALLOCATION, Privacy.TECHNICAL, Privacy.FREE_TEXT

YES_NO = (("Y", "Yes"), ("N", "No"))
NOT_CHECKABLE = "not checkable: the protocol states no rule, or no reader stands for the region"
NOT_INJECTED = "no injection is recorded"
NOT_MEASURED = "the series is not measured, or was refused"

SUBJECT = (
    Column("trial", "Trial", TEXT, KEY, origin="STUDYID"),
    Column(
        "usubjid",
        "Unique patient identifier",
        TEXT,
        KEY,
        origin="USUBJID",
        derivation="trial, a hyphen, patient",
    ),
    Column("site", "Site code", TEXT, QUASI, origin="DM.SITEID"),
    Column("patient", "Patient number in the trial", TEXT, KEY, origin="DM.SUBJID"),
)
RECORD = (
    Column("record_table", "Table of the record this row is read from", TEXT, TECHNICAL),
    Column("record_pk", "Number of the row in that table", INTEGER, TECHNICAL),
)
SCAN = Column("scan", "Scheduled scan", INTEGER, KEY, origin="PR.PRLNKID")
SERIES = Column("series", "Image series", INTEGER, KEY, origin="TR.TRLNKGRP")
LESION = Column(
    "lesion", "Region above the threshold, or drawn elsewhere", INTEGER, KEY, origin="TU.TUSPID"
)
REGION = Column("region", "Reference region", INTEGER, KEY, origin="TU.TUSPID")
REGION_KIND = Column(
    "region_kind",
    "What the reference region is",
    TEXT,
    TECHNICAL,
    origin="TU.TULOC",
    codes=(
        ("blood_pool", "Mediastinal blood pool"),
        ("liver", "Liver"),
        ("spleen", "Spleen"),
        ("bone_marrow", "Bone marrow"),
        ("muscle", "Muscle"),
        ("kidney_left", "Left kidney"),
        ("kidney_right", "Right kidney"),
        ("adrenal_left", "Left adrenal"),
        ("adrenal_right", "Right adrenal"),
    ),
)
REGION_STATUS = Column(
    "region_status",
    "Who stands for the reference region",
    TEXT,
    TECHNICAL,
    codes=(
        ("proposed", "Proposed by the system, not yet accepted by a reader"),
        ("accepted", "Proposed by the system, accepted by a reader"),
        ("placed", "Placed by a reader"),
    ),
)


def _quantity(name: str, label: str, unit: str, origin: str, derivation: str) -> tuple[Column, ...]:
    """A measured quantity of a lesion, and the address of the page that derives it."""
    return (
        Column(name, label, NUMBER, HEALTH, unit=unit, origin=origin, derivation=derivation),
        Column(
            f"{name}_derivation",
            f"Address of the derivation of {name}",
            TEXT,
            TECHNICAL,
            derivation="relative to the address of the site",
        ),
    )


PATIENTS = Dataset(
    name="patients",
    label="Patients",
    domain="DM",
    grain="one patient screened, enrolled or not",
    table="trials_patient",
    keys=("usubjid",),
    columns=(
        *SUBJECT,
        Column(
            "screening_number",
            "Screening number, which stays when the patient number is given",
            TEXT,
            KEY,
            origin="DM.SUBJID",
        ),
        Column(
            "state",
            "Where the patient stands",
            TEXT,
            HEALTH,
            origin="DS.DSDECOD",
            codes=(
                ("screening", "Screening"),
                ("enrolled", "Enrolled"),
                ("screen_failed", "Screen failed"),
                ("withdrawn", "Withdrawn: nothing was collected after the withdrawal"),
            ),
        ),
        Column(
            "sex_at_birth",
            "Sex at birth",
            TEXT,
            QUASI,
            origin="DM.SEX",
            codes=(("F", "Female"), ("M", "Male"), ("U", "Unknown")),
        ),
        Column(
            "birth_year",
            "Year of birth",
            INTEGER,
            QUASI,
            origin="DM.BRTHDTC",
            derivation="year of the date of birth; month and day stay in the record",
        ),
        Column(
            "age_at_consent",
            "Age at the first consent",
            INTEGER,
            QUASI,
            unit="years",
            origin="DM.AGE",
            missing="no consent, or the dates are not precise enough to tell the age",
            derivation="completed years from the date of birth to consented_at",
        ),
        Column(
            "consented_at",
            "First consent",
            PARTIAL_DATE,
            QUASI,
            origin="DM.RFICDTC",
            missing="no consent is recorded",
            derivation="earliest signed_at of the patient's consents",
        ),
        Column("registered_at", "Registered in the record", MOMENT, QUASI),
        Column("site_time_zone", "Time zone of the site's wall clock", TEXT, QUASI),
        Column(
            "enrolled_at",
            "Enrolled",
            MOMENT,
            QUASI,
            origin="DS.DSSTDTC",
            missing="the patient was not enrolled",
        ),
        Column(
            "is_enrolled_despite_criteria",
            "Enrolled though not eligible, as an important deviation",
            FLAG,
            HEALTH,
            codes=YES_NO,
            missing="the patient was not enrolled",
        ),
        Column(
            "cohort",
            "Cohort",
            TEXT,
            TECHNICAL,
            missing="not enrolled, or the protocol has no cohorts",
        ),
        Column(
            "screen_failure",
            "Why the screening ended",
            TEXT,
            HEALTH,
            missing="the screening did not fail",
            codes=(
                ("criteria", "Eligibility criteria not satisfied"),
                ("declined", "Patient declined"),
                ("clinician", "Decision of the physician"),
                ("lost", "Lost to contact"),
                ("time", "Screening period over"),
                ("closed", "Cohort or site closed"),
                ("other", "Other"),
            ),
        ),
        Column(
            "withdrawal_extent",
            "How far the withdrawal reaches",
            TEXT,
            HEALTH,
            missing="the patient did not withdraw",
            codes=(
                ("scans", "No more scans; what was collected is used"),
                ("use", "No more use: left out of every other dataset"),
                ("destroy", "No more use, and the images are destroyed"),
            ),
        ),
        *RECORD,
    ),
)

CONSENTS = Dataset(
    name="consents",
    label="Consents",
    domain="DS",
    grain="one signed consent of a patient",
    table="trials_consent",
    keys=("consent",),
    columns=(
        *SUBJECT,
        Column("consent", "Consent", INTEGER, KEY, origin="DS.DSSPID"),
        Column("version", "Version of the consent form", TEXT, TECHNICAL, origin="SUPPDS.ICFVER"),
        Column("language", "Language of the consent form", TEXT, QUASI),
        Column("signed_at", "Signed", PARTIAL_DATE, QUASI, origin="DS.DSSTDTC"),
        Column(
            "signatory",
            "Who signed",
            TEXT,
            QUASI,
            codes=(
                ("patient", "Patient"),
                ("representative", "Legal representative"),
                ("witnessed", "Patient, before an impartial witness"),
            ),
        ),
        Column(
            "copy_given",
            "Patient was given a copy",
            FLAG,
            TECHNICAL,
            missing="not recorded",
            codes=YES_NO,
        ),
        Column("withdrawn_at", "Withdrawn", MOMENT, QUASI, missing="the consent was not withdrawn"),
        Column("recorded_at", "Entered in the record", MOMENT, TECHNICAL),
        *RECORD,
    ),
)

EVIDENCE = Dataset(
    name="evidence",
    label="Evidence",
    domain="LB, VS, RP, MH",
    grain="one dated fact about a patient as it stands now; corrected values are in the record",
    table="trials_evidence",
    keys=("evidence",),
    columns=(
        *SUBJECT,
        Column("evidence", "Fact", INTEGER, KEY, origin="LB.LBSPID"),
        Column(
            "scan",
            "Scheduled scan the fact belongs to",
            INTEGER,
            KEY,
            missing="the fact belongs to the patient and to no scan",
        ),
        Column("variable", "Variable", TEXT, TECHNICAL),
        Column(
            "cdisc_code",
            "Domain and test code of CDISC",
            TEXT,
            TECHNICAL,
            origin="LB.LBTESTCD",
            missing="the variable has no code in the terminology of 2025-03-28",
            derivation="from the variable",
        ),
        Column(
            "value",
            "Value as recorded",
            TEXT,
            FREE_TEXT,
            origin="LB.LBORRES",
            missing="asked, and not known",
            derivation="yes or no as Y or N; a list as JSON, [] when asked and there was none; "
            "a date of birth as its year",
        ),
        Column(
            "value_number",
            "Value as a number",
            NUMBER,
            HEALTH,
            origin="LB.LBSTRESN",
            missing="the value is not a number, or only a bound such as >90",
        ),
        Column(
            "unit",
            "Unit of the value",
            TEXT,
            TECHNICAL,
            origin="LB.LBORRESU",
            missing="the variable has no unit",
        ),
        Column("observed_at", "Observed", PARTIAL_DATE, QUASI, origin="LB.LBDTC"),
        Column(
            "is_study_specific",
            "Done for the trial, not as standard of care",
            FLAG,
            TECHNICAL,
            codes=YES_NO,
        ),
        Column("recorded_at", "Entered in the record", MOMENT, TECHNICAL),
        *RECORD,
    ),
)

ELIGIBILITY = Dataset(
    name="eligibility",
    label="Eligibility",
    domain="IE",
    grain="one criterion of the newest assessment per patient, gate and scan; satisfied "
    "criteria too, which SDTM leaves out",
    table="trials_criterionresult",
    keys=("assessment", "criterion"),
    columns=(
        *SUBJECT,
        Column("assessment", "Assessment", INTEGER, KEY, origin="IE.IESPID"),
        Column(
            "gate",
            "When it is judged",
            TEXT,
            TECHNICAL,
            codes=(
                ("enrolment", "Enrolment"),
                ("pre_injection", "Before injection"),
                ("per_scan", "Per scan"),
            ),
        ),
        Column(
            "scan",
            "Scheduled scan the gate is judged for",
            INTEGER,
            KEY,
            missing="the gate is not judged per scan",
        ),
        Column("protocol_version", "Protocol version", TEXT, TECHNICAL, origin="TI.TIVERS"),
        Column("assessed_at", "Assessed", MOMENT, QUASI, origin="IE.IEDTC"),
        Column(
            "verdict",
            "Verdict of the assessment",
            TEXT,
            HEALTH,
            codes=(
                ("eligible", "Eligible"),
                ("ineligible", "Not eligible"),
                ("not_evaluable", "Cannot tell yet"),
            ),
        ),
        Column("criterion", "Criterion", TEXT, TECHNICAL, origin="IE.IETESTCD"),
        Column(
            "category",
            "Inclusion or exclusion",
            TEXT,
            TECHNICAL,
            origin="IE.IECAT",
            codes=(("inclusion", "Inclusion"), ("exclusion", "Exclusion")),
        ),
        Column("text", "Text of the criterion", TEXT, TECHNICAL, origin="IE.IETEST"),
        Column(
            "outcome",
            "Whether the criterion's statement holds",
            TEXT,
            HEALTH,
            codes=(
                ("met", "Met"),
                ("not_met", "Not met"),
                ("not_evaluable", "Not evaluable"),
                ("not_applicable", "Not applicable"),
            ),
        ),
        Column(
            "word",
            "What it means for the patient",
            TEXT,
            HEALTH,
            codes=(
                ("satisfied", "Stands in no one's way"),
                ("excludes", "Keeps the patient out"),
                ("cannot tell", "Evidence is missing"),
                ("not applicable", "Not for this patient or scan"),
            ),
        ),
        Column(
            "answer",
            "Answer a paper checklist would carry",
            TEXT,
            HEALTH,
            origin="IE.IEORRES",
            missing="cannot tell, or not applicable",
            derivation="inclusion: satisfied is Y; exclusion: satisfied is N",
            codes=YES_NO,
        ),
        Column(
            "is_provisional",
            "Judged on a planned time or on the time of assessment",
            FLAG,
            TECHNICAL,
            codes=YES_NO,
        ),
        Column(
            "evidence",
            "Facts it was judged on",
            TEXT,
            KEY,
            missing="judged on consent rows or on nothing",
            derivation="numbers of column evidence, separated by spaces; one that is not in "
            "the dataset evidence was corrected since",
        ),
        Column("software_version", "Version that judged", TEXT, TECHNICAL),
        *RECORD,
    ),
)

SCANS = Dataset(
    name="scans",
    label="Scans and injections",
    domain="PR, EX",
    grain="one scheduled scan of a patient, with its injection once recorded",
    table="trials_scheduledscan",
    keys=("scan",),
    columns=(
        *SUBJECT,
        SCAN,
        Column("planned_scan", "Scan as the protocol plans it", TEXT, ALLOCATION),
        Column("label", "Name of the planned scan", TEXT, ALLOCATION, origin="PR.PRTRT"),
        Column(
            "tracer",
            "Tracer",
            TEXT,
            ALLOCATION,
            origin="EX.EXTRT; AG.AGTRT for a tracer given as standard of care",
        ),
        Column("radionuclide", "Radionuclide", TEXT, ALLOCATION, origin="SUPPEX.NUCLIDE"),
        Column(
            "state",
            "How far the scan has come",
            TEXT,
            TECHNICAL,
            codes=(
                ("scheduled", "Scheduled"),
                ("injected", "Injected"),
                ("images_received", "Images received"),
                ("quantified", "Quantified"),
                ("cancelled", "Cancelled"),
            ),
        ),
        Column("planned_at", "Planned time of the scan", MOMENT, QUASI),
        Column(
            "assayed_activity_mbq",
            "Activity in the syringe before the injection",
            NUMBER,
            HEALTH,
            unit="MBq",
            origin="SUPPEX.ACTPRE",
            missing=NOT_INJECTED,
        ),
        Column(
            "assayed_at",
            "Time of that assay",
            MOMENT,
            QUASI,
            origin="SUPPEX.ACTPREDT",
            missing=NOT_INJECTED,
        ),
        Column(
            "residual_activity_mbq",
            "Activity left in the syringe",
            NUMBER,
            HEALTH,
            unit="MBq",
            origin="SUPPEX.ACTRES",
            missing="not measured, which is not zero; or no injection is recorded",
        ),
        Column(
            "residual_at",
            "Time of that assay",
            MOMENT,
            QUASI,
            origin="SUPPEX.ACTRESDT",
            missing="the residual was not measured; or no injection is recorded",
        ),
        Column(
            "injected_at",
            "Injection",
            MOMENT,
            QUASI,
            origin="EX.EXSTDTC",
            missing=NOT_INJECTED,
        ),
        Column(
            "net_activity_mbq",
            "Net injected activity",
            NUMBER,
            HEALTH,
            unit="MBq",
            origin="EX.EXDOSE",
            missing=NOT_INJECTED,
            derivation="assayed less residual activity, each corrected for decay to injected_at; "
            "a residual that was not measured is left out",
        ),
        Column(
            "half_life_s",
            "Half-life used",
            NUMBER,
            TECHNICAL,
            unit="s",
            missing=NOT_INJECTED,
            derivation="ICRP Publication 107",
        ),
        Column("route", "Route", TEXT, HEALTH, origin="EX.EXROUTE", missing=NOT_INJECTED),
        Column(
            "weight_kg",
            "Body weight on the day of the scan",
            NUMBER,
            HEALTH,
            unit="kg",
            origin="VS.VSSTRESN where VSTESTCD is WEIGHT",
            missing=NOT_INJECTED,
        ),
        Column(
            "height_cm",
            "Height on the day of the scan",
            NUMBER,
            HEALTH,
            unit="cm",
            origin="VS.VSSTRESN where VSTESTCD is HEIGHT",
            missing="not measured, or no injection is recorded",
        ),
        Column(
            "uptake_minutes",
            "Uptake time",
            NUMBER,
            HEALTH,
            unit="min",
            origin="SUPPPR.UPTKTM",
            missing="no PET series of the scan counts for it, or none tells it",
            derivation="start of the first PET bed less injected_at, of the PET series that counts "
            "for the scan",
        ),
        Column(
            "uptake_low_minutes",
            "Uptake time, lower limit of the protocol",
            NUMBER,
            TECHNICAL,
            unit="min",
            missing="the protocol states none",
        ),
        Column(
            "uptake_high_minutes",
            "Uptake time, upper limit of the protocol",
            NUMBER,
            TECHNICAL,
            unit="min",
            missing="the protocol states none",
        ),
        Column(
            "activity_low_mbq",
            "Activity, lower limit of the protocol",
            NUMBER,
            TECHNICAL,
            unit="MBq",
            missing="the protocol states none",
        ),
        Column(
            "activity_high_mbq",
            "Activity, upper limit of the protocol",
            NUMBER,
            TECHNICAL,
            unit="MBq",
            missing="the protocol states none",
        ),
        *RECORD,
    ),
)

SERIES_SET = Dataset(
    name="series",
    label="Image series",
    domain="PR, TR",
    grain="one image series of a scan, with its current measurement",
    table="imaging_series",
    keys=("series",),
    columns=(
        *SUBJECT,
        SCAN,
        SERIES,
        Column("modality", "Modality, Modality (0008,0060)", TEXT, TECHNICAL),
        Column(
            "counts_for_scan",
            "Whether it is the PET series that stands for the scan",
            FLAG,
            TECHNICAL,
            derivation="of those corrected for attenuation the one by a reconstruction of the "
            "protocol and within its uptake window, or a person's decision",
            codes=YES_NO,
        ),
        Column(
            "state",
            "How far the series has come",
            TEXT,
            TECHNICAL,
            codes=(
                ("released", "Released"),
                ("assembled", "Assembled"),
                ("refused", "Refused"),
                ("quantified", "Quantified"),
            ),
        ),
        Column(
            "code",
            "Why the series was refused",
            TEXT,
            TECHNICAL,
            missing="it was not refused",
        ),
        Column("run", "Run of the measurement", INTEGER, TECHNICAL, missing="never measured"),
        Column(
            "status",
            "What the run came to",
            TEXT,
            TECHNICAL,
            missing="never measured",
            codes=(
                ("computed", "Computed"),
                ("flagged", "Computed, flagged"),
                ("review", "For review"),
                ("refused", "Refused"),
            ),
        ),
        Column(
            "flags",
            "Flags of the run, separated by spaces",
            TEXT,
            TECHNICAL,
            missing="none, or never measured",
        ),
        Column(
            "suvbw_factor",
            "Factor from pixel values to SUVbw",
            NUMBER,
            HEALTH,
            missing=NOT_MEASURED,
            derivation="1000 × body weight / decayed activity; its unit is suvbw_factor_unit",
        ),
        Column(
            "suvbw_factor_unit",
            "Unit of that factor",
            TEXT,
            TECHNICAL,
            missing=NOT_MEASURED,
        ),
        Column(
            "suvmax",
            "Highest SUVbw of the series",
            NUMBER,
            HEALTH,
            unit="g/mL",
            origin="TR.TRSTRESN where TRTESTCD is SUVMAX",
            missing=NOT_MEASURED,
        ),
        Column(
            "uptake_minutes",
            "Uptake time of the series",
            NUMBER,
            HEALTH,
            unit="min",
            origin="SUPPPR.UPTKTM",
            missing="not measured, or no injection is recorded",
            derivation="start of the first PET bed less the injection",
        ),
        Column(
            "segmentation_method",
            "Method of segmentation",
            TEXT,
            TECHNICAL,
            origin="SUPPTR.SEGMTHD",
            missing="never measured",
        ),
        Column(
            "threshold_suv",
            "Threshold of segmentation",
            NUMBER,
            TECHNICAL,
            unit="g/mL",
            missing="never measured, or the method has none",
        ),
        Column(
            "minimum_volume_ml",
            "Smallest volume kept",
            NUMBER,
            TECHNICAL,
            unit="mL",
            missing="never measured, or the method has none",
        ),
        Column(
            "input_sha256",
            "Digest of the images measured",
            TEXT,
            TECHNICAL,
            missing="never measured",
            derivation="SHA-256 over the sorted digests of the de-identified instances",
        ),
        Column(
            "software_version", "Version that measured", TEXT, TECHNICAL, missing="never measured"
        ),
        Column("computed_at", "Measured", MOMENT, TECHNICAL, missing="never measured"),
        *RECORD,
    ),
)

NOT_DRAWN = "found by a threshold"

LESIONS = Dataset(
    name="lesions",
    label="Lesions",
    domain="TU, TR",
    grain="one connected region above the threshold in the current run of a series, or one "
    "region drawn elsewhere where the protocol says so; a physician says which are lesions",
    table="imaging_lesion",
    keys=("lesion",),
    columns=(
        *SUBJECT,
        SCAN,
        SERIES,
        LESION,
        Column("number", "Number in the series", INTEGER, KEY, origin="TR.TRLNKID"),
        *_quantity(
            "suvmax",
            "SUVmax",
            "g/mL",
            "TR.TRSTRESN where TRTESTCD is SUVMAX",
            "highest SUVbw of the region's voxels",
        ),
        *_quantity(
            "suvmean",
            "SUVmean",
            "g/mL",
            "TR.TRSTRESN where TRTESTCD is SUVMEAN",
            "mean SUVbw of the region's voxels",
        ),
        *_quantity(
            "suvpeak",
            "SUVpeak",
            "g/mL",
            "TR.TRSTRESN where TRTESTCD is SUVPEAK",
            "highest mean over a sphere, by suvpeak_definition",
        ),
        Column("suvpeak_definition", "Definition of SUVpeak", TEXT, TECHNICAL),
        *_quantity(
            "volume_ml",
            "Volume",
            "mL",
            "TR.TRSTRESN where TRTESTCD is VOLUME",
            "number of voxels times the volume of a voxel",
        ),
        *_quantity(
            "total_uptake",
            "Total uptake (TLG where the tracer is FDG)",
            "g",
            "TR.TRSTRESN, no code in the terminology",
            "SUVmean times volume",
        ),
        Column("voxel_count", "Voxels in the region", INTEGER, HEALTH),
        Column("suvmax_plane", "Hottest voxel, plane", INTEGER, TECHNICAL),
        Column("suvmax_row", "Hottest voxel, row", INTEGER, TECHNICAL),
        Column("suvmax_column", "Hottest voxel, column", INTEGER, TECHNICAL),
        Column("centroid_x_mm", "Centroid, to the patient's left", NUMBER, HEALTH, unit="mm"),
        Column("centroid_y_mm", "Centroid, to the back", NUMBER, HEALTH, unit="mm"),
        Column("centroid_z_mm", "Centroid, to the head", NUMBER, HEALTH, unit="mm"),
        Column(
            "has_partial_volume",
            "So small that blur makes the values too low",
            FLAG,
            TECHNICAL,
            codes=YES_NO,
        ),
        Column(
            "computed_positivity",
            "Positive by the protocol's rule, against the region that a reader stands for",
            FLAG,
            HEALTH,
            origin="the reader's own word is in findings, VISPOS",
            codes=YES_NO,
            missing=NOT_CHECKABLE,
        ),
        Column(
            "positivity_threshold",
            "What SUVmax or SUVpeak had to exceed for it",
            NUMBER,
            HEALTH,
            unit="g/mL",
            missing=NOT_CHECKABLE,
        ),
        Column(
            "drawing",
            "Series of the structure set or segmentation it was drawn in",
            INTEGER,
            KEY,
            missing=NOT_DRAWN,
        ),
        Column(
            "region_number",
            "Number of the region there",
            INTEGER,
            TECHNICAL,
            origin="DICOM (3006,0022) or (0062,0004)",
            missing=NOT_DRAWN,
        ),
        Column(
            "region_label",
            "Label of the region there, in words of a vocabulary",
            TEXT,
            TECHNICAL,
            origin="DICOM (3006,0026) or (0062,0005)",
            missing="found by a threshold, or without a label",
        ),
        *RECORD,
    ),
)

REGIONS = Dataset(
    name="regions",
    label="Reference regions",
    domain="TU, TR",
    grain="one reference sphere in force in the current run of a series",
    table="imaging_referenceregion",
    keys=("region",),
    columns=(
        *SUBJECT,
        SCAN,
        SERIES,
        REGION,
        REGION_KIND,
        REGION_STATUS,
        Column(
            "suvmean",
            "Mean SUVbw in the sphere",
            NUMBER,
            HEALTH,
            unit="g/mL",
            origin="TR.TRSTRESN where TRTESTCD is SUVMEAN",
        ),
        Column("suv_sd", "Standard deviation of SUVbw", NUMBER, HEALTH, unit="g/mL"),
        Column("cv", "Coefficient of variation of SUVbw", NUMBER, HEALTH, unit="1"),
        Column(
            "suvmax",
            "Highest SUVbw in the sphere",
            NUMBER,
            HEALTH,
            unit="g/mL",
            missing="measured by an earlier release",
        ),
        Column(
            "suvpeak",
            "Highest mean SUVbw over 1 cm3 around a voxel of the sphere",
            NUMBER,
            HEALTH,
            unit="g/mL",
            missing="measured by an earlier release",
        ),
        Column(
            "suvpeak_definition",
            "What SUVpeak is",
            TEXT,
            TECHNICAL,
            missing="measured by an earlier release",
        ),
        Column("voxel_count", "Voxels in the sphere", INTEGER, TECHNICAL),
        Column("radius_mm", "Radius", NUMBER, TECHNICAL, unit="mm"),
        Column("centre_x_mm", "Centre, to the patient's left", NUMBER, TECHNICAL, unit="mm"),
        Column("centre_y_mm", "Centre, to the back", NUMBER, TECHNICAL, unit="mm"),
        Column("centre_z_mm", "Centre, to the head", NUMBER, TECHNICAL, unit="mm"),
        *RECORD,
    ),
)

RATIOS = Dataset(
    name="ratios",
    label="Tumour-to-background ratios",
    domain="TR",
    grain="one lesion against one reference region of the same run",
    table="imaging_lesionratio",
    keys=("lesion", "region"),
    columns=(
        *SUBJECT,
        SCAN,
        SERIES,
        LESION,
        REGION,
        REGION_KIND,
        REGION_STATUS,
        *_quantity(
            "tbr",
            "Tumour-to-background ratio",
            "1",
            "TR.TRSTRESN, no code in the terminology; SUPPTR.REFREG",
            "SUVmax of the lesion over SUVmean of the region",
        ),
        *_quantity(
            "tbr_peak",
            "Tumour-to-background ratio of the peak",
            "1",
            "TR.TRSTRESN, no code in the terminology; SUPPTR.REFREG",
            "SUVpeak of the lesion over SUVmean of the region",
        ),
        *_quantity(
            "tbr_mean",
            "Tumour-to-background ratio of the mean",
            "1",
            "TR.TRSTRESN, no code in the terminology; SUPPTR.REFREG",
            "SUVmean of the lesion over SUVmean of the region",
        ),
        *RECORD,
    ),
)

_NOT_HERE = "the lesion is not in this scan"


def _lesion_of(side: str) -> tuple[Column, ...]:
    """The scan of one side of a pair, and the lesion there."""
    return (
        Column(f"{side}_scan", f"Scheduled scan, {side}", INTEGER, KEY, origin="PR.PRLNKID"),
        Column(f"{side}_tracer", f"Tracer, {side}", TEXT, ALLOCATION, origin="EX.EXTRT"),
        Column(
            f"{side}_lesion",
            f"Lesion, {side}: its number in the read",
            INTEGER,
            KEY,
            missing=_NOT_HERE,
        ),
        Column(
            f"{side}_parts",
            f"Other parts of a split or merged lesion, {side}",
            INTEGER,
            HEALTH,
            derivation="number of further lesions of the read that are of the same place",
        ),
        Column(
            f"{side}_positivity",
            f"How the reader saw the lesion beside the reference region, {side}",
            TEXT,
            HEALTH,
            missing=_NOT_HERE,
            codes=(
                ("not_stated", "Not stated"),
                ("positive", "Above the reference"),
                ("negative", "Not above the reference"),
            ),
        ),
        Column(
            f"{side}_suvmax",
            f"SUVmax, {side}",
            NUMBER,
            HEALTH,
            unit="g/mL",
            origin="TR.TRSTRESN",
            missing=_NOT_HERE,
            derivation="of the region that the reader grew, else of the run's own",
        ),
    )


PAIRS = Dataset(
    name="pairs",
    label="Lesions paired across tracers and time",
    domain="TU",
    grain="one place of disease in a signed comparison that stands, with the lesion of each scan",
    table="imaging_lesionpair",
    keys=("pair",),
    columns=(
        *SUBJECT,
        Column("comparison", "Comparison", INTEGER, KEY, origin="TU.TULNKGRP"),
        Column("pair", "Place of disease", INTEGER, KEY, origin="TU.TULNKID"),
        Column(
            "kind",
            "What was compared",
            TEXT,
            TECHNICAL,
            codes=(
                ("tracers", "Two tracers"),
                ("times", "Two times of one tracer, the first the earlier"),
            ),
        ),
        Column("reader", "Reader, by a number", INTEGER, TECHNICAL, origin="TU.TUEVALID"),
        *_lesion_of("first"),
        *_lesion_of("second"),
        Column(
            "outcome",
            "Which scan shows the lesion",
            TEXT,
            HEALTH,
            origin="TU.TUORRES",
            derivation="confirmed by the reader; who counts positives looks at positivity too",
            codes=(
                ("both", "Both"),
                ("first-only", "The first alone"),
                ("second-only", "The second alone"),
                ("not-covered", "One alone, outside the other scan"),
            ),
        ),
        Column(
            "matched_by",
            "What made the two lesions one",
            TEXT,
            TECHNICAL,
            missing="a lesion of one scan alone",
            codes=(
                ("overlap", "Shared volume"),
                ("distance", "Distance"),
                ("reader", "Reader"),
            ),
        ),
        Column(
            "shared_ml",
            "Volume that the two lesions share",
            NUMBER,
            HEALTH,
            unit="mL",
            missing="a lesion of one scan alone, or matched by the reader",
        ),
        Column(
            "dice",
            "Dice coefficient of the two lesions",
            NUMBER,
            HEALTH,
            unit="1",
            missing="a lesion of one scan alone, or matched by the reader",
        ),
        Column(
            "distance_mm",
            "Distance of the centres",
            NUMBER,
            HEALTH,
            unit="mm",
            missing="a lesion of one scan alone",
        ),
        Column(
            "body_region",
            "Where it lies",
            TEXT,
            HEALTH,
            origin="TU.TULOC",
            missing="the reader did not say",
            codes=tuple(reading_terms.REGIONS),
        ),
        *RECORD,
    ),
)

DEVIATIONS = Dataset(
    name="deviations",
    label="Protocol deviations",
    domain="DV",
    grain="one deviation, found by a rule or by a person",
    table="trials_deviation",
    keys=("deviation",),
    columns=(
        *SUBJECT,
        Column("deviation", "Deviation", INTEGER, KEY, origin="DV.DVSPID"),
        Column("rule", "Rule", TEXT, TECHNICAL, origin="DV.DVDECOD", missing="found by a person"),
        Column("text", "What deviates", TEXT, FREE_TEXT, origin="DV.DVTERM"),
        Column("values", "Numbers the rule compared, as JSON", TEXT, HEALTH),
        Column(
            "state",
            "State",
            TEXT,
            TECHNICAL,
            codes=(
                ("drafted", "Drafted"),
                ("acknowledged", "Acknowledged by the investigator"),
                ("closed", "Closed"),
            ),
        ),
        Column("recorded_at", "Entered in the record", MOMENT, TECHNICAL),
        Column("about_table", "Table of what it is about", TEXT, TECHNICAL),
        Column("about_pk", "Number of the row it is about", INTEGER, KEY),
        *RECORD,
    ),
)

_NO_PATIENT = "the query is about the trial"

QUERIES = Dataset(
    name="queries",
    label="Queries",
    domain="none",
    grain="one question to a site about the record; its text stays in the record",
    table="trials_query",
    keys=("query",),
    columns=(
        SUBJECT[0],
        Column(
            "usubjid",
            "Unique patient identifier",
            TEXT,
            KEY,
            origin="USUBJID",
            missing=_NO_PATIENT,
            derivation="trial, a hyphen, patient",
        ),
        SUBJECT[2],
        Column("patient", "Patient number in the trial", TEXT, KEY, missing=_NO_PATIENT),
        Column("query", "Query", INTEGER, KEY),
        Column("rule", "Rule that asked", TEXT, TECHNICAL, missing="asked by a person"),
        Column(
            "state",
            "State",
            TEXT,
            TECHNICAL,
            codes=(("open", "Open"), ("answered", "Answered"), ("closed", "Closed")),
        ),
        Column("opened_at", "Opened", MOMENT, TECHNICAL),
        Column("message_count", "Messages so far", INTEGER, TECHNICAL),
        Column("about_table", "Table of what it is about", TEXT, TECHNICAL),
        Column("about_pk", "Number of the row it is about", INTEGER, KEY),
        *RECORD,
    ),
)

_OF_SCAN = "the finding is of the scan as a whole"

FINDINGS = Dataset(
    name="findings",
    label="Findings of signed reads",
    domain="TR",
    grain="one result of one signed read that stands: of a scan, or of one of its lesions",
    table="trials_finding",
    keys=("finding",),
    columns=(
        *SUBJECT,
        SCAN,
        Column("finding", "Finding", INTEGER, KEY, origin="TR.TRSEQ"),
        Column(
            "read",
            "Read that was signed",
            INTEGER,
            KEY,
            origin="TR.TRREFID",
            derivation="one read is of one reader; several reads of a scan stand side by side",
        ),
        Column("reader", "Reader, by number", INTEGER, KEY, origin="TR.TREVALID"),
        Column(
            "lesion_number",
            "Lesion, by its number in the read",
            INTEGER,
            KEY,
            origin="TR.TRLNKID",
            missing=_OF_SCAN,
        ),
        Column(
            "location",
            "Where the reader says that it lies",
            TEXT,
            HEALTH,
            origin="TU.TULOC",
            missing=f"{_OF_SCAN}, or the reader did not say",
            codes=tuple(reading_terms.REGIONS),
        ),
        Column(
            "test",
            "What was found",
            TEXT,
            TECHNICAL,
            origin="TR.TRTESTCD",
            codes=tuple((one.code, one.name) for one in finding_tests.TESTS.values()),
        ),
        Column(
            "value_number",
            "Result, as a number in the unit beside it",
            NUMBER,
            HEALTH,
            origin="TR.TRSTRESN",
            missing="the result is a word",
        ),
        Column(
            "value_text",
            "Result, as a word",
            TEXT,
            HEALTH,
            origin="TR.TRSTRESC",
            missing="the result is a number",
            codes=(
                ("not_stated", "Not stated"),
                ("positive", "Above the reference region"),
                ("negative", "Not above the reference region"),
            ),
        ),
        Column("unit", "Unit", TEXT, TECHNICAL, origin="TR.TRSTRESU", missing="a count or a word"),
        Column(
            "method",
            "How it was measured, where there are several ways",
            TEXT,
            TECHNICAL,
            origin="TR.TRMETHOD",
            missing="there is one way",
        ),
        Column("run", "Run of the measurement that was read", INTEGER, TECHNICAL),
        Column("software_version", "Version that measured", TEXT, TECHNICAL),
        Column("found_at", "Signed", MOMENT, TECHNICAL, origin="TR.TRDTC"),
        *RECORD,
    ),
)

DATASETS: Mapping[str, Dataset] = MappingProxyType(
    {
        dataset.name: dataset
        for dataset in (
            PATIENTS,
            CONSENTS,
            EVIDENCE,
            ELIGIBILITY,
            SCANS,
            SERIES_SET,
            LESIONS,
            REGIONS,
            RATIOS,
            PAIRS,
            FINDINGS,
            DEVIATIONS,
            QUERIES,
        )
    }
)
