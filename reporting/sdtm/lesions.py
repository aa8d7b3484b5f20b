"""TU and TR: where lesions and regions of reference lie, and what was measured of them.

A lesion of a signed read is one of its reader; a region that the threshold finds is a place of
interest until a reader calls it a lesion. Results are dated by their scan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from reporting.sdtm import terms
from reporting.sdtm.assessments import Assessors, assessors
from reporting.sdtm.draft import Draft, Record, Relation, as_text
from reporting.sdtm.exposure import scan_link
from reporting.sdtm.model import Row, Value
from reporting.sdtm.subjects import Subject
from reporting.sdtm.visits import visit_of_scan

RELATIONS: tuple[Relation, ...] = ((("TU", "TULNKID", "ONE"), ("TR", "TRLNKID", "MANY")),)
PET, CT = "PET/CT SCAN", "CT SCAN"
SOFTWARE = "TRIALTRACE"
# Measured of a region by the threshold or drawn: the test, the unit, the column.
_OF_LESION = (
    ("SUVMAX", "g/mL", "suvmax"),
    ("SUVMEAN", "g/mL", "suvmean"),
    ("SUVPEAK", "g/mL", "suvpeak"),
    ("VOLUME", "mL", "volume_ml"),
)
_OF_REGION = (
    ("SUVMEAN", "g/mL", "suvmean"),
    ("SUVSD", "g/mL", "suv_sd"),
    ("SUVCV", "1", "cv"),
    ("SUVMAX", "g/mL", "suvmax"),
    ("SUVPEAK", "g/mL", "suvpeak"),
)
_RATIOS = (("TBRMAX", "tbr"), ("TBRPEAK", "tbr_peak"), ("TBRMEAN", "tbr_mean"))
# Of a whole scan the sum of its lesions has a test of its own.
_OF_SCAN = {"VOLUME": "SUMVOL", "UPTAKE": "SUMTLU"}
_RATIO_TESTS = frozenset({"ADRLIVL", "ADRLIVR", "ADRRATIO"})
_RECIST_KINDS = {"T": "TARGET", "N": "NON-TARGET", "X": "NEW"}
_RECIST_STATES = {"present": "PRESENT", "gone": "ABSENT", "not-assessed": "NE"}


@dataclass
class _Images:
    """The scans by number, with what dates and places a result."""

    draft: Draft
    scans: Mapping[int, Row]
    series: Mapping[int, Row]
    readers: Assessors

    def placed(self, domain: str, subject: Subject, scan: int) -> dict[str, Value]:
        """VISITNUM, VISIT and --DTC of what was found in a scan."""
        row = self.scans.get(scan)
        _, number, visit = visit_of_scan(self.draft, row)
        at = None
        if row is not None and row["injected_at"] is not None:
            at = row["injected_at"] + timedelta(minutes=row["uptake_minutes"] or 0)
        return {"VISITNUM": number, "VISIT": visit, f"{domain}DTC": subject.local(at)}

    def is_fdg(self, scan: int) -> bool:
        row = self.scans.get(scan)
        return row is not None and "FDG" in row["tracer"].upper()


def add(draft: Draft) -> None:
    """Lesions of reads, regions of the runs, regions of reference, and lesions on CT."""
    source = draft.source
    images = _Images(
        draft,
        {row["scan"]: row for row in source.rows("scans")},
        {row["series"]: row for row in source.rows("series")},
        assessors(source),
    )
    _series(images)
    _regions_found(images)
    _reference(images)
    _ratios(images)
    found = _findings(images)
    _grown_ratios(images)
    _pairs(images, found)
    _recist(images)


def result(
    images: _Images,
    subject: Subject,
    scan: int,
    test: str,
    value: Any,
    unit: str = "",
    *,
    link: str = "",
    further: Mapping[str, Value] = MappingProxyType({}),
) -> Record:
    """A record of TR; a number has a unit, a word none."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    text = as_text(value)
    standard = float(f"{value:.12g}") if isinstance(value, float) else value
    known = terms.unit(unit, where="TR") if is_number else ""
    values: dict[str, Value] = {
        "TRLNKID": link,
        "TRLNKGRP": scan_link(scan),
        "TRTESTCD": test,
        "TRTEST": terms.test_name("TR", test, test),
        "TRORRES": text,
        "TRORRESU": known,
        # To 12 digits text and number are the same to any program; TRORRES has all of them.
        "TRSTRESC": as_text(standard),
        "TRSTRESN": standard if is_number else None,
        "TRSTRESU": known,
        "TRMETHOD": PET,
        **images.placed("TR", subject, scan),
    }
    return images.draft.add("TR", subject, **{**values, **further})


def place(
    images: _Images,
    subject: Subject,
    scan: int,
    link: str,
    what: str,
    region: str | None,
    **further: Value,
) -> Record:
    """A record of TU: a lesion or a place of interest."""
    location, side = terms.place(region)
    values: dict[str, Value] = {
        "TULNKID": link,
        "TUTESTCD": "TUMIDENT",
        "TUTEST": terms.TESTS["TU", "TUMIDENT"],
        "TUORRES": what,
        "TUSTRESC": what,
        "TULOC": location,
        "TULAT": side,
        "TUMETHOD": PET,
        **images.placed("TU", subject, scan),
    }
    return images.draft.add("TU", subject, **{**values, **further})


def _series(images: _Images) -> None:
    """The highest value of each measured series, and why others were not measured."""
    for row in images.series.values():
        subject = images.draft.subject(row)
        reference = str(row["series"])
        if row["suvmax"] is not None:
            record = result(
                images,
                subject,
                row["scan"],
                "SUVMAX",
                row["suvmax"],
                "g/mL",
                further={
                    "TRREFID": reference,
                    "TRSPID": f"SERIES-{reference}",
                    "TRNAM": SOFTWARE,
                },
            )
            record.supplement(
                "SUVFACT", "Factor from Pixel Values to SUVbw", row["suvbw_factor"], "Derived"
            )
            record.supplement(
                "SUVFACTU", "Unit of That Factor", row["suvbw_factor_unit"], "Assigned"
            )
            record.supplement("MODALITY", "Modality", row["modality"])
            record.supplement("FLAGS", "Flags of the Run", row["flags"], "Derived")
            record.supplement(
                "UPTKTM", "Uptake Time of the Series (min)", row["uptake_minutes"], "Derived"
            )
            record.supplement("COUNTS", "Stands for the Scan", row["counts_for_scan"], "Derived")
        elif row["code"]:
            images.draft.add(
                "TR",
                subject,
                TRTESTCD="SUVMAX",
                TRTEST=terms.TESTS["TR", "SUVMAX"],
                TRLNKGRP=scan_link(row["scan"]),
                TRREFID=reference,
                TRSPID=f"SERIES-{reference}",
                TRNAM=SOFTWARE,
                TRMETHOD=PET,
                TRSTAT="NOT DONE",
                TRREASND=row["code"],
                **images.placed("TR", subject, row["scan"]),
            )


def _regions_found(images: _Images) -> None:
    for row in images.draft.source.rows("lesions"):
        subject, scan = images.draft.subject(row), row["scan"]
        link = f"RUN-{row['lesion']}"
        spid = f"LESION-{row['lesion']}"
        found = place(
            images,
            subject,
            scan,
            link,
            "LOCATION OF INTEREST",
            None,
            TUSPID=spid,
            TUREFID=str(row["series"]),
            TUNAM=SOFTWARE,
        )
        _about_region(found, row)
        common: dict[str, Value] = {
            "TRSPID": spid,
            "TRREFID": str(row["series"]),
            "TRNAM": SOFTWARE,
        }
        total = "TLG" if images.is_fdg(scan) else "TLU"
        for test, unit, column in (*_OF_LESION, (total, "g", "total_uptake")):
            record = result(
                images, subject, scan, test, row[column], unit, link=link, further=common
            )
            if test == "SUVPEAK":
                _about_peak(record, row)
            if test in ("VOLUME", total):
                record.supplement(
                    "SEGMTHD", "Segmentation", _segmentation(images, row["series"]), "Assigned"
                )
        if row["computed_positivity"] is not None:
            word = "POSITIVE" if row["computed_positivity"] else "NEGATIVE"
            result(images, subject, scan, "CMPPOS", word, link=link, further=common)
            threshold = row["positivity_threshold"]
            result(images, subject, scan, "POSTHR", threshold, "g/mL", link=link, further=common)


def _about_region(found: Record, row: Row) -> None:
    """Which region of the series it is, where it lies and how far it reaches."""
    found.supplement("NUMBER", "Number in the Series", row["number"], "Assigned")
    for axis in "xyz":
        value = row[f"centroid_{axis}_mm"]
        found.supplement(f"CENTR{axis.upper()}", f"Centroid, {axis} (mm)", value, "Derived")
    found.supplement("VOXELS", "Voxels in the Region", row["voxel_count"], "Derived")
    found.supplement(
        "PARTVOL", "Blur Makes Its Values Too Low", row["has_partial_volume"], "Derived"
    )
    for axis in ("planes", "rows", "columns"):
        found.supplement(
            f"EXT{axis[:5].upper()}",
            f"Extent Across the {axis.capitalize()} (mm)",
            row[f"extent_{axis}_mm"],
            "Derived",
        )
    found.supplement("REGLABEL", "Label of the Drawn Region", row["region_label"])


def _about_peak(record: Record, row: Row) -> None:
    """Which definition SUVpeak has, and what its sphere suffers from."""
    record.supplement("PEAKDEF", "Definition of SUVpeak", row["suvpeak_definition"], "Assigned")
    for name, label, column in (
        ("PEAKCUT", "Image Ends Within Its Sphere", "peak_leaves_image"),
        ("PEAKVOX", "Voxels in Its Sphere", "peak_voxels"),
        ("PEAKCRS", "Voxels Larger Than Its Sphere", "peak_is_coarse"),
    ):
        record.supplement(name, label, row[column], "Derived")


def _segmentation(images: _Images, series: int) -> str:
    row = images.series.get(series)
    if row is None or not row["segmentation_method"]:
        return ""
    words = row["segmentation_method"].replace("_", " ").upper()
    if row["threshold_suv"] is not None:
        words += f", SUV {row['threshold_suv']:g}"
    if row["minimum_volume_ml"] is not None:
        words += f", AT LEAST {row['minimum_volume_ml']:g} mL"
    return words


def _reference(images: _Images) -> None:
    organs = {row["region"]: row for row in images.draft.source.rows("organs")}
    for row in images.draft.source.rows("regions"):
        subject, scan = images.draft.subject(row), row["scan"]
        link = f"REF-{row['region']}"
        spid = f"{row['region_kind'].upper()}-{row['region']}"
        found = place(
            images,
            subject,
            scan,
            link,
            "LOCATION OF INTEREST",
            row["region_kind"],
            TUSPID=spid,
            TUREFID=str(row["series"]),
            TUNAM=SOFTWARE,
        )
        found.supplement("REGION", "What the Region Is", row["region_kind"], "Assigned")
        found.supplement("REGSTAT", "Who Stands for the Region", row["region_status"])
        found.supplement("RADIUS", "Radius (mm)", row["radius_mm"])
        for axis in "xyz":
            value = row[f"centre_{axis}_mm"]
            found.supplement(f"CENTR{axis.upper()}", f"Centroid, {axis} (mm)", value)
        found.supplement("VOXELS", "Voxels in the Region", row["voxel_count"], "Derived")
        found.supplement(
            "MIRRORS", "Lesion It Is the Mirror Image Of", row["mirrors_lesion"], "Derived"
        )
        found.supplement(
            "MIRCORR", "Correlation Across the Mirror", row["mirror_correlation"], "Derived"
        )
        common: dict[str, Value] = {
            "TRSPID": spid,
            "TRREFID": str(row["series"]),
            "TRNAM": SOFTWARE,
        }
        for test, unit, column in _OF_REGION:
            if row[column] is None:
                continue
            record = result(
                images, subject, scan, test, row[column], unit, link=link, further=common
            )
            if test == "SUVPEAK":
                record.supplement(
                    "PEAKDEF", "Definition of SUVpeak", row["suvpeak_definition"], "Assigned"
                )
        volume = organs.get(row["region"], {}).get("volume_ml")
        if volume is not None:
            result(images, subject, scan, "VOLUME", volume, "mL", link=link, further=common)


def _ratios(images: _Images) -> None:
    for row in images.draft.source.rows("ratios"):
        of_run: dict[str, Value] = {
            "TRSPID": f"LESION-{row['lesion']}-{row['region']}",
            "TRREFID": str(row["series"]),
            "TRNAM": SOFTWARE,
        }
        for record in _over_region(images, row, f"RUN-{row['lesion']}", of_run):
            record.supplement("REFREGID", "Its Link in TU", f"REF-{row['region']}", "Assigned")


def _grown_ratios(images: _Images) -> None:
    """Of lesions that a reader grew; a mirror image of one read has no place in TU."""
    for row in images.draft.source.rows("grown_ratios"):
        link = f"READ-{row['read']}-{row['lesion_number']}"
        of_read: dict[str, Value] = {
            "TRSPID": f"{link}-MIRROR",
            "TRREFID": str(row["read"]),
            "TRACPTFL": "Y" if row["is_accepted"] else "",
            **images.readers.of("TR", row["reader"], row["read"]),
        }
        _over_region(images, row, link, of_read)


def _over_region(
    images: _Images, row: Row, link: str, further: Mapping[str, Value]
) -> list[Record]:
    """The ratios of a row, each with what it is over."""
    subject, scan = images.draft.subject(row), row["scan"]
    found = [
        result(images, subject, scan, test, row[column], "1", link=link, further=further)
        for test, column in _RATIOS
        if row[column] is not None
    ]
    for record in found:
        record.supplement("REFREG", "Region of Reference", row["region_kind"], "Assigned")
    return found


def _findings(images: _Images) -> dict[tuple[int, int, int], Record]:
    """Results of signed reads; the lesions by reader, scan and number."""
    found: dict[tuple[int, int, int], Record] = {}
    for row in images.draft.source.rows("findings"):
        subject, scan, number = images.draft.subject(row), row["scan"], row["lesion_number"]
        link = f"READ-{row['read']}-{number}" if number is not None else ""
        key = (row["reader"], scan, number)
        if link and key not in found:
            found[key] = place(
                images,
                subject,
                scan,
                link,
                "DISEASE SITE",
                row["location"],
                TUSPID=link,
                TUREFID=str(row["read"]),
                TUACPTFL="Y" if row["is_accepted"] else "",
                **images.readers.of("TU", row["reader"], row["read"]),
            )
        record = result(
            images,
            subject,
            scan,
            _test_of(images, row),
            row["value_number"] if row["value_number"] is not None else _word(row["value_text"]),
            "1" if row["test"] in _RATIO_TESTS else row["unit"] or "",
            link=link,
            further={
                "TRSPID": f"FINDING-{row['finding']}",
                "TRREFID": str(row["read"]),
                "TRACPTFL": "Y" if row["is_accepted"] else "",
                **images.readers.of("TR", row["reader"], row["read"]),
            },
        )
        record.supplement("MEASMTHD", "How It Was Measured", row["method"], "Assigned")
        record.supplement("RUN", "Run of the Measurement", row["run"], "Assigned")
        record.supplement("SWVERS", "Version That Measured", row["software_version"], "Assigned")
        record.supplement("SIGNDTC", "Signed", subject.local(row["found_at"]))
    return found


def _test_of(images: _Images, row: Row) -> str:
    test = row["test"]
    if row["lesion_number"] is None:
        return str(_OF_SCAN.get(test, test))
    if test == "UPTAKE":
        return "TLG" if images.is_fdg(row["scan"]) else "TLU"
    return str(test)


def _word(text: str | None) -> str:
    return (text or "").replace("_", " ").upper()


def _pairs(images: _Images, found: Mapping[tuple[int, int, int], Record]) -> None:
    """Places of disease across scans, beside the lesions that they join."""
    for row in images.draft.source.rows("pairs"):
        subject = images.draft.subject(row)
        sides = [
            _side(images, found, row, side, subject)
            for side in ("first", "second")
            if row[f"{side}_lesion"] is not None
        ]
        for name, label, value, origin in _of_pair(row):
            sides[0].supplement(name, label, value, origin)
        if len(sides) == 2:
            images.draft.related.append((f"PAIR{row['pair']}", sides[0], sides[1]))


def _side(
    images: _Images,
    found: Mapping[tuple[int, int, int], Record],
    row: Row,
    side: str,
    subject: Subject,
) -> Record:
    """The lesion of one side; one of which no finding tells is placed here."""
    scan, number = row[f"{side}_scan"], row[f"{side}_lesion"]
    record = found.get((row["reader"], scan, number)) or place(
        images,
        subject,
        scan,
        f"PAIR-{row['pair']}-{side[0].upper()}",
        "DISEASE SITE",
        row["body_region"],
        TUSPID=f"PAIR-{row['pair']}-{side[0].upper()}",
        **images.readers.of("TU", row["reader"], None),
    )
    record.supplement("PAIRPOS", "Beside the Reference, as Seen", row[f"{side}_positivity"])
    record.supplement(
        "PAIRSUV", "SUVmax in the Comparison (g/mL)", row[f"{side}_suvmax"], "Derived"
    )
    record.supplement("PAIRPART", "Further Parts of the Lesion", row[f"{side}_parts"])
    return record


def _of_pair(row: Row) -> Iterator[tuple[str, str, Any, str]]:
    yield "COMPAR", "Comparison", row["comparison"], "Assigned"
    yield "PAIRID", "Place of Disease Across Scans", row["pair"], "Assigned"
    yield "PAIRKIND", "What Was Compared", row["kind"], "Assigned"
    yield "PAIROUT", "Which Scan Shows the Lesion", row["outcome"], "Derived"
    yield "PAIRBY", "What Made the Two Lesions One", row["matched_by"], "Collected"
    yield "PAIRML", "Volume That They Share (mL)", row["shared_ml"], "Derived"
    yield "PAIRDICE", "Dice Coefficient", row["dice"], "Derived"
    yield "PAIRMM", "Distance of the Centres (mm)", row["distance_mm"], "Derived"


def _recist(images: _Images) -> None:
    placed: set[tuple[int, str, str]] = set()
    for row in images.draft.source.rows("recist_lesions"):
        subject, scan, lesion = images.draft.subject(row), row["scan"], row["lesion"]
        reader = images.readers.numbers[row["reader"]]
        link = f"CT-{reader}-{lesion}"
        if (row["reader"], row["usubjid"], lesion) not in placed:
            placed.add((row["reader"], row["usubjid"], lesion))
            place(
                images,
                subject,
                scan,
                link,
                _RECIST_KINDS[lesion[0]],
                row["region"],
                TUSPID=lesion,
                TUREFID=str(row["read"]),
                **{"TUMETHOD": CT, **images.readers.of("TU", row["reader"], row["read"])},
            )
        common: dict[str, Value] = {
            "TRSPID": f"READ-{row['read']}-{lesion}",
            "TRREFID": str(row["read"]),
            "TRMETHOD": CT,
            **images.readers.of("TR", row["reader"], row["read"]),
        }
        if row["diameter_mm"] is not None:
            result(
                images, subject, scan, "LDIAM", row["diameter_mm"], "mm", link=link, further=common
            ).supplement("LESSTATE", "What Became of It", row["state"])
        else:
            word = _RECIST_STATES.get(row["state"]) or _word(row["state"].replace("-", "_"))
            result(images, subject, scan, "TUMSTATE", word, link=link, further=common)
