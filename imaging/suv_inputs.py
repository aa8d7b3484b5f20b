"""What a factor was computed from, attribute by attribute, as the headers write it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Any

from imaging.headers import PetHeader, Radiopharmaceutical
from imaging.suv_terms import Input, Recorded


def image_inputs(header: PetHeader) -> tuple[Input, ...]:
    return (
        Input("Units", "(0054,1001)", header.units, ""),
        Input("SUV Type", "(0054,1006)", header.suv_type, ""),
        Input("Corrected Image", "(0028,0051)", list(header.corrected_image), ""),
        Input("Decay Correction", "(0054,1102)", header.decay_correction, ""),
        Input("Image Type", "(0008,0008)", list(header.image_type), ""),
        Input("Manufacturer", "(0008,0070)", header.manufacturer, ""),
    )


def activity_inputs(header: PetHeader, item: Radiopharmaceutical) -> tuple[Input, ...]:
    start = item.start_datetime
    return (
        *body_inputs(header),
        Input("Radionuclide Total Dose", "(0018,1074)", item.total_dose, "Bq"),
        Input("Radionuclide Half Life", "(0018,1075)", item.half_life, "s"),
        Input("Radionuclide", "(0054,0300)", item.code_meaning or item.code_value, ""),
        Input("Radiopharmaceutical Start Time", "(0018,1072)", iso(item.start_time), ""),
        Input("Radiopharmaceutical Start DateTime", "(0018,1078)", start and start.to_json(), ""),
        Input("Series Date", "(0008,0021)", iso(header.series_date), ""),
        Input("Series Time", "(0008,0031)", iso(header.series_time), ""),
        Input("SUV Scale Factor", "(7053,xx00)", header.philips_suv_factor, "g/mL"),
        Input(
            "Activity Concentration Scale Factor",
            "(7053,xx09)",
            header.philips_activity_factor,
            "Bq/mL",
        ),
    )


def body_inputs(header: PetHeader) -> tuple[Input, ...]:
    return (
        Input("Patient's Weight", "(0010,1030)", header.patient_weight, "kg"),
        Input("Patient's Size", "(0010,1020)", header.patient_size, "m"),
        Input("Patient's Sex", "(0010,0040)", header.patient_sex, ""),
    )


def recorded_inputs(recorded: Recorded) -> tuple[Input, ...]:
    """What the site recorded, with the row and version it is from."""
    source = recorded.reference
    return (
        Input("Recorded weight", source, recorded.weight, "kg"),
        Input("Recorded net activity", source, recorded.activity, "Bq"),
        Input("Recorded injection, on the series' clock", source, iso(recorded.injected_at), ""),
    )


def slice_inputs(headers: Sequence[PetHeader]) -> tuple[Input, ...]:
    """What differs between slices, as [smallest, largest]."""
    return tuple(
        Input(name, tag, [min(values), max(values)] if values else None, unit)
        for name, tag, unit, values in (
            ("Acquisition Time", "(0008,0032)", "", _present(headers, "acquisition_time")),
            (
                "Frame Reference Time",
                "(0054,1300)",
                "ms",
                _present(headers, "frame_reference_time"),
            ),
            (
                "Actual Frame Duration",
                "(0018,1242)",
                "ms",
                _present(headers, "actual_frame_duration"),
            ),
            ("Decay Factor", "(0054,1321)", "", _present(headers, "decay_factor")),
            ("Rescale Slope", "(0028,1053)", "", _present(headers, "rescale_slope")),
            ("Rescale Intercept", "(0028,1052)", "", _present(headers, "rescale_intercept")),
        )
    )


def _present(headers: Sequence[PetHeader], name: str) -> list[Any]:
    values = [value for h in headers if (value := getattr(h, name)) is not None]
    return [iso(value) if isinstance(value, time) else value for value in values]


def iso(value: date | time | datetime | None) -> str | None:
    return None if value is None else value.isoformat()
