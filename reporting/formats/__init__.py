"""The formats a dataset is written in besides CSV, each from the same columns on disk.

Arrow and its kin take time and memory to load: whoever only names formats does without.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import IO, TYPE_CHECKING

from reporting.formats.about import About, Change

if TYPE_CHECKING:
    from reporting.formats.staged import Staged

__all__ = ["CHOICES", "FORMATS", "PACKAGES", "About", "Change", "Format", "Package"]


@dataclass(frozen=True, slots=True)
class Format:
    """A format, the folder and the suffix of its files in the bundle, and the module that writes.

    `is_compressed` tells files that another compression makes no smaller. Of a `standard` the files
    are not of the operational datasets but of what is made from them, in its folder. `source` names
    the format whose files it is made from, which an export then has too.
    """

    name: str
    label: str
    suffix: str
    module: str
    is_compressed: bool = False
    standard: str = ""
    source: str = ""

    def path(self, dataset: str) -> str:
        if self.standard:
            return f"{self.standard}/{dataset.lower()}.{self.suffix}"
        return f"{self.name}/{dataset}.{self.suffix}"

    @property
    def folder(self) -> str:
        return self.standard or self.name

    def write(self, staged: Staged, target: IO[bytes], about: About) -> list[Change]:
        """Write one dataset; what the format could not hold as it is comes back."""
        changes: list[Change] = import_module(self.module).write(staged, target, about)
        return changes


@dataclass(frozen=True, slots=True)
class Package:
    """Files of a standard that say the whole trial in their own way; `service` adds them."""

    name: str
    label: str
    service: str


FORMATS = MappingProxyType(
    {
        one.name: one
        for one in (
            Format(
                "parquet", "Parquet", "parquet", "reporting.formats.parquet", is_compressed=True
            ),
            Format("xpt", "SAS transport file (XPT version 5)", "xpt", "reporting.formats.xpt"),
            Format(
                "dataset-json",
                "Dataset-JSON 1.1 of CDISC",
                "json",
                "reporting.formats.dataset_json",
            ),
            Format("spss", "SPSS (.sav)", "sav", "reporting.formats.spss"),
            Format("stata", "Stata 15 and later (.dta)", "dta", "reporting.formats.stata"),
            Format(
                "sdtm-xpt",
                "SDTM of CDISC (SDTMIG 3.4), as SAS transport files",
                "xpt",
                "reporting.formats.xpt",
                standard="sdtm",
            ),
            Format(
                "sdtm-json",
                "SDTM of CDISC (SDTMIG 3.4), as Dataset-JSON 1.1",
                "json",
                "reporting.formats.dataset_json",
                standard="sdtm",
            ),
            Format(
                "adam-xpt",
                "ADaM of CDISC (ADSL, ADTR, ADPET; ADaMIG 1.3), as SAS transport files, with SDTM",
                "xpt",
                "reporting.formats.xpt",
                standard="adam",
                source="sdtm-xpt",
            ),
            Format(
                "adam-json",
                "ADaM of CDISC (ADSL, ADTR, ADPET; ADaMIG 1.3), as Dataset-JSON 1.1, with SDTM",
                "json",
                "reporting.formats.dataset_json",
                standard="adam",
                source="sdtm-json",
            ),
        )
    }
)
PACKAGES = MappingProxyType(
    {
        one.name: one
        for one in (
            Package(
                "odm",
                "ODM-XML 1.3.2 of CDISC: forms with audit trail and signatures",
                "reporting.services.odm_files",
            ),
        )
    }
)
# What may be asked for besides CSV.
CHOICES: Mapping[str, Format | Package] = MappingProxyType({**FORMATS, **PACKAGES})
