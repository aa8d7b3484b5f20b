"""Response to treatment, by the scale that the protocol states."""

from __future__ import annotations

from imaging.reading_terms import REGIONS
from imaging.response.recist_lesions import KINDS, STATES
from imaging.response.terms import FLAGS
from reporting.datasets.agreement import ACCEPTED
from reporting.datasets.columns import (
    HEALTH,
    IDENTIFIER,
    INTEGER,
    KEY,
    MOMENT,
    NUMBER,
    RECORD,
    SCAN,
    SUBJECT,
    TECHNICAL,
    TEXT,
    Column,
    Dataset,
)
from trials import response_rules

_NO_BASELINE = "the scale compares with no baseline scan, and its reader signed none"

# CDISC's ONCRSR (C96785) and, of qPET, Deauville's scores.
CATEGORIES = (
    ("CMR", "Complete metabolic response"),
    ("PMR", "Partial metabolic response"),
    ("SMD", "Stable metabolic disease"),
    ("PMD", "Progressive metabolic disease"),
    ("CR", "Complete response"),
    ("PR", "Partial response"),
    ("SD", "Stable disease"),
    ("PD", "Progressive disease"),
    ("NON-CR/NON-PD", "Neither complete response nor progression, without targets"),
    ("NE", "Not evaluable: why says what stands against it"),
    ("1-2", "qPET below 0.95, as Deauville 1 or 2"),
    ("3", "qPET from 0.95, as Deauville 3"),
    ("4", "qPET from 1.3, as Deauville 4"),
    ("5", "qPET from 2.0, as Deauville 5"),
)

RESPONSES = Dataset(
    name="responses",
    label="Response to treatment",
    domain="RS",
    grain="one response that stands: of a later scan, by a scale, from one reader's signed reads",
    table="imaging_responseevaluation",
    keys=("evaluation",),
    columns=(
        *SUBJECT,
        SCAN,
        Column(
            "baseline_scan",
            "Scheduled scan it is compared with",
            INTEGER,
            KEY,
            origin="PR.PRLNKID",
            missing=_NO_BASELINE,
        ),
        Column("evaluation", "Evaluation", INTEGER, KEY, origin="RS.RSSEQ"),
        Column("rule", "Rule of the protocol", TEXT, TECHNICAL, origin="RS.RSSPID"),
        Column(
            "criterion",
            "Scale",
            TEXT,
            TECHNICAL,
            origin="RS.RSCAT",
            codes=tuple((code, one.name) for code, one in response_rules.CRITERIA.items()),
        ),
        Column("reader", "Reader, by number", INTEGER, KEY, origin="RS.RSEVALID"),
        ACCEPTED,
        Column(
            "not_counting_because",
            "Why the response is no result: which read of the scan counts, or why none does",
            TEXT,
            TECHNICAL,
            missing="the response counts",
        ),
        Column("read", "Read of the later scan", INTEGER, KEY),
        Column("baseline_read", "Read of the baseline scan", INTEGER, KEY, missing=_NO_BASELINE),
        Column("category", "Response", TEXT, HEALTH, origin="RS.RSSTRESC", codes=CATEGORIES),
        Column(
            "best",
            "Best overall response up to this scan, confirmed as the protocol asks",
            TEXT,
            HEALTH,
            origin="RS.RSSTRESC",
            missing="the scale has none, or is not evaluable",
            codes=CATEGORIES,
        ),
        Column("why", "Why, in a sentence", TEXT, HEALTH, origin="RS.RSREASND"),
        Column(
            "change_percent",
            "Change of what the scale compares",
            NUMBER,
            HEALTH,
            unit="%",
            missing="not evaluable, no lesion is left, or the scale compares no number",
            derivation="of SULpeak of the hottest lesions (PERCIST), of SUVmax of the hottest "
            "lesion at baseline (EORTC), of the sum of diameters from baseline (RECIST)",
        ),
        Column(
            "change_percent_derivation",
            "Address of the page that shows what it rests on",
            TEXT,
            TECHNICAL,
            derivation="relative to the address of the site",
        ),
        Column(
            "numbers",
            "All numbers it rests on, with name, value and unit",
            TEXT,
            HEALTH,
            derivation="as JSON, an empty list where there is none",
        ),
        Column(
            "flags",
            "What is to be known beside it",
            TEXT,
            TECHNICAL,
            missing="nothing",
            codes=tuple(FLAGS.items()),
        ),
        Column("inputs_sha256", "SHA-256 of all it was judged from", TEXT, IDENTIFIER),
        Column("software_version", "Version that judged", TEXT, TECHNICAL),
        Column("evaluated_at", "Judged", MOMENT, TECHNICAL),
        *RECORD,
    ),
)

RECIST_LESIONS = Dataset(
    name="recist_lesions",
    label="Lesions on CT for RECIST",
    domain="TR",
    grain="one lesion on CT of one signed read that stands, as its reader typed it in",
    table="imaging_recistlesion",
    keys=("read", "lesion"),
    columns=(
        *SUBJECT,
        SCAN,
        Column("read", "Read", INTEGER, KEY),
        Column("reader", "Reader, by number", INTEGER, KEY, origin="TR.TREVALID"),
        Column(
            "lesion",
            "Lesion: T of targets, N of non-targets, X of new ones, with its number",
            TEXT,
            TECHNICAL,
            origin="TR.TRLNKID",
        ),
        Column(
            "kind",
            "What it is to RECIST",
            TEXT,
            HEALTH,
            origin="TU.TUORRES",
            codes=tuple((word.upper(), word) for word in KINDS.values()),
        ),
        Column("region", "Where it lies", TEXT, HEALTH, origin="TU.TULOC", codes=tuple(REGIONS)),
        Column(
            "state",
            "What became of it",
            TEXT,
            HEALTH,
            origin="TR.TRORRES",
            codes=tuple(dict(one for kind in STATES.values() for one in kind).items()),
        ),
        Column(
            "diameter_mm",
            "Longest diameter, of a lymph node the short axis",
            NUMBER,
            HEALTH,
            unit="mm",
            origin="TR.TRSTRESN",
            missing="no target, or a target that was not measured: see state",
        ),
        Column(
            "diameter_mm_derivation",
            "Address of the signed read it stands in",
            TEXT,
            TECHNICAL,
            derivation="relative to the address of the site",
        ),
        *RECORD,
    ),
)
