"""What was measured in the images: lesions, reference regions and their ratios."""

from __future__ import annotations

from reporting.datasets.agreement import ACCEPTED
from reporting.datasets.columns import (
    FLAG,
    HEALTH,
    INTEGER,
    KEY,
    LESION,
    NOT_CHECKABLE,
    NUMBER,
    RECORD,
    REGION,
    REGION_KIND,
    REGION_STATUS,
    SCAN,
    SERIES,
    SUBJECT,
    TECHNICAL,
    TEXT,
    YES_NO,
    Column,
    Dataset,
    quantity,
)

NOT_DRAWN = "found by a threshold"
NO_GRID = "the series is no regular volume any more"

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
        *quantity(
            "suvmax",
            "SUVmax",
            "g/mL",
            "TR.TRSTRESN where TRTESTCD is SUVMAX",
            "highest SUVbw of the region's voxels",
        ),
        *quantity(
            "suvmean",
            "SUVmean",
            "g/mL",
            "TR.TRSTRESN where TRTESTCD is SUVMEAN",
            "mean SUVbw of the region's voxels",
        ),
        *quantity(
            "suvpeak",
            "SUVpeak",
            "g/mL",
            "TR.TRSTRESN where TRTESTCD is SUVPEAK",
            "highest mean over a sphere, by suvpeak_definition",
        ),
        Column("suvpeak_definition", "Definition of SUVpeak", TEXT, TECHNICAL),
        *quantity(
            "volume_ml",
            "Volume",
            "mL",
            "TR.TRSTRESN where TRTESTCD is VOLUME",
            "number of voxels times the volume of a voxel",
        ),
        *quantity(
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
            derivation="a sphere of its volume is under twice the resolution of the scanner that "
            "the protocol states, 6 mm where it states none",
        ),
        *(
            Column(
                f"extent_{axis}_mm",
                f"Extent across the {axis} of the image",
                NUMBER,
                HEALTH,
                unit="mm",
                missing="measured by an earlier release",
            )
            for axis in ("planes", "rows", "columns")
        ),
        Column(
            "peak_leaves_image",
            "The image ends within the sphere of SUVpeak, which is the mean of what lies inside",
            FLAG,
            TECHNICAL,
            codes=YES_NO,
            missing="measured by an earlier release",
        ),
        Column(
            "peak_voxels",
            "Voxels that the sphere of SUVpeak takes in",
            INTEGER,
            TECHNICAL,
            derivation="of a sphere of 1 mL, by the spacing of the series; where it is 1, SUVpeak "
            "is SUVmax",
            missing=NO_GRID,
        ),
        Column(
            "peak_is_coarse",
            "The voxels are so large that this sphere takes in no neighbour along an axis",
            FLAG,
            TECHNICAL,
            codes=YES_NO,
            derivation="the edge of a voxel exceeds the radius of the sphere, 6.2 mm; where parts "
            "of voxels count, its diameter",
            missing=NO_GRID,
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
    grain="one reference sphere in force in the current run of a series, or one mirror image of "
    "a lesion",
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
            "mirrors_lesion",
            "The lesion that it is the mirror image of",
            INTEGER,
            KEY,
            missing="a sphere, for all lesions",
        ),
        Column(
            "mirror_correlation",
            "Correlation of the two sides of the head across the mirror plane",
            NUMBER,
            TECHNICAL,
            unit="1",
            missing="a sphere, for all lesions",
        ),
        Column(
            "suvmean",
            "Mean SUVbw in the region",
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
        Column(
            "radius_mm",
            "Radius",
            NUMBER,
            TECHNICAL,
            unit="mm",
            missing="the mirror image of a lesion",
        ),
        Column("centre_x_mm", "Centre, to the patient's left", NUMBER, TECHNICAL, unit="mm"),
        Column("centre_y_mm", "Centre, to the back", NUMBER, TECHNICAL, unit="mm"),
        Column("centre_z_mm", "Centre, to the head", NUMBER, TECHNICAL, unit="mm"),
        *RECORD,
    ),
)

_OVER_REGION = tuple(
    column
    for name, label, value in (
        ("tbr", "Tumour-to-background ratio", "SUVmax"),
        ("tbr_peak", "Tumour-to-background ratio of the peak", "SUVpeak"),
        ("tbr_mean", "Tumour-to-background ratio of the mean", "SUVmean"),
    )
    for column in quantity(
        name,
        label,
        "1",
        "TR.TRSTRESN, no code in the terminology; SUPPTR.REFREG",
        f"{value} of the lesion over SUVmean of the region",
    )
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
        *_OVER_REGION,
        *RECORD,
    ),
)

GROWN_RATIOS = Dataset(
    name="grown_ratios",
    label="Ratios of regions that a reader grew",
    domain="TR",
    grain="one lesion that a reader grew, placed or drew, of a signed read that stands, against "
    "its accepted mirror image",
    table="imaging_grownmirrorimage",
    keys=("read", "lesion_number"),
    columns=(
        *SUBJECT,
        SCAN,
        SERIES,
        Column("read", "Read that was signed", INTEGER, KEY, origin="TR.TRREFID"),
        Column("reader", "Reader, by number", INTEGER, KEY, origin="TR.TREVALID"),
        ACCEPTED,
        Column(
            "lesion_number",
            "Lesion, by its number in the read",
            INTEGER,
            KEY,
            origin="TR.TRLNKID",
        ),
        REGION_KIND,
        *_OVER_REGION,
        *RECORD,
    ),
)
