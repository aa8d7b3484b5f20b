"""README.md of an export: how to load its files in R, Python, SAS, SPSS and Stata."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType

from reporting.formats import Format, Package

PATH = "README.md"

HEAD = """\
# How to load these files

`data/` holds a CSV for each dataset, whatever else is here. `codebook.md` says what each column
holds, `codebook.csv` and `codebook.json` say the same for programs, `manifest.json` of which moment
the data are. Whether the files are complete and unchanged: `sha256sum --check SHA256SUMS`.

## CSV

R:

```r
lesions <- read.csv("data/lesions.csv", na.strings = "", colClasses = "character")
codebook <- read.csv("codebook.csv", colClasses = "character")
codebook <- codebook[codebook$dataset == "lesions", ]
numbers <- codebook$column[codebook$type %in% c("integer", "number")]
lesions[numbers] <- lapply(lesions[numbers], as.numeric)
# A text that a spreadsheet would run as a formula begins with one apostrophe.
texts <- vapply(lesions, is.character, logical(1))
lesions[texts] <- lapply(lesions[texts], sub, pattern = "^'", replacement = "")
```

Python:

```python
import polars

lesions = polars.read_csv("data/lesions.csv", infer_schema_length=None)
lesions = lesions.with_columns(polars.col(polars.String).str.strip_prefix("'"))
```
"""

SECTIONS = MappingProxyType(
    {
        "parquet": """\
## Parquet

Typed columns; label, unit and values of a column are the metadata of its field.

```r
lesions <- arrow::read_parquet("parquet/lesions.parquet")
```

```python
import pyarrow.parquet

lesions = pyarrow.parquet.read_table("parquet/lesions.parquet")
lesions.schema.field("suvmax").metadata[b"unit"]
```
""",
        "xpt": """\
## SAS transport files

Names of at most 8 characters stand in the column `xpt_name` of `codebook.csv`. Texts are ASCII and
at most 200 bytes, moments ISO 8601 in UTC, flags Y or N. If a value had to be changed for that,
`xpt/changed.csv` has it whole, with the row and the column.

```sas
libname x xport "xpt/lesions.xpt" access=readonly;
data lesions; set x.lesions; run;
```

```r
lesions <- haven::read_xpt("xpt/lesions.xpt")
```

```python
import pyreadstat

lesions, about = pyreadstat.read_xport("xpt/lesions.xpt")
```
""",
        "dataset-json": """\
## Dataset-JSON

```r
file <- jsonlite::fromJSON("dataset-json/lesions.json", simplifyVector = FALSE)
column <- function(i) {
  values <- lapply(file$rows, function(row) if (is.null(row[[i]])) NA else row[[i]])
  unlist(values)
}
lesions <- as.data.frame(lapply(seq_along(file$columns), column))
names(lesions) <- vapply(file$columns, function(one) one$name, "")
```

```python
import json

with open("dataset-json/lesions.json") as stream:
    file = json.load(stream)
names = [column["name"] for column in file["columns"]]
lesions = [dict(zip(names, row)) for row in file["rows"]]
```
""",
        "spss": """\
## SPSS

Moments are UTC, to the precision that SPSS has.

```spss
GET FILE="spss/lesions.sav".
```

```r
lesions <- haven::read_sav("spss/lesions.sav")
```
""",
        "stata": """\
## Stata

Moments are `%tc` in UTC, to the millisecond. A name of more than 32 characters, or one that Stata
keeps for itself, is another one here: `stata_name` of `codebook.csv`.

```stata
use "stata/lesions.dta", clear
```

```r
lesions <- haven::read_dta("stata/lesions.dta")
```
""",
        "odm": """\
## ODM-XML

`odm/snapshot.xml` holds the case report forms as they stand, `odm/transactions.xml` every change
of them with its audit record. Forms are stated by protocol version (MetaDataVersion); an item is
called by its column in `data/form_*.csv`: `IT.vital_signs.pulse` is the column `pulse` of
`data/form_vital_signs.csv`. A value that is missing for a reason has `IsNull="Yes"`, the reason
stands in the items beside it. Users are numbers, which the audit trail of the site tells.

```r
odm <- xml2::read_xml("odm/snapshot.xml")
items <- xml2::xml_find_all(odm, "//d1:ItemData[@ItemOID='IT.vital_signs.pulse']")
pulse <- as.numeric(xml2::xml_attr(items, "Value"))
```

```python
from lxml import etree

space = {"o": "http://www.cdisc.org/ns/odm/v1.3"}
odm = etree.parse("odm/snapshot.xml")
items = odm.iterfind(".//o:ItemData[@ItemOID='IT.vital_signs.pulse']", space)
pulse = [float(one.get("Value")) for one in items if one.get("Value")]
```
""",
        "sdtm-xpt": """\
## SDTM as SAS transport files

`sdtm/` holds the domains of SDTMIG 3.4 that have records, `sdtm/domains.csv` names all of them.
Dates are local to the site. `sdtm/define.xml` (Define-XML 2.1) says of each variable what it is,
where it is from and how it was derived, and what is said in terms of ours where SDTM has none.

```sas
libname x xport "sdtm/tr.xpt" access=readonly;
data tr; set x.tr; run;
```

```r
tr <- haven::read_xpt("sdtm/tr.xpt")
```
""",
        "sdtm-json": """\
## SDTM as Dataset-JSON

```python
import json

with open("sdtm/tr.json") as stream:
    file = json.load(stream)
names = [column["name"] for column in file["columns"]]
tr = [dict(zip(names, row)) for row in file["rows"]]
```
""",
        "adam-xpt": """\
## ADaM as SAS transport files

`adam/` holds ADSL (patients), ADTR (lesions) and ADPET (scans) of ADaMIG 1.3, made from the SDTM
beside them: SRCDOM, SRCVAR and SRCSEQ name the record of each value. `adam/define.xml` says how
each variable is derived, `adam/variables.csv` the same as a table. Dates are numbers of SAS with a
format, local to the site. A parameter is of one tracer, whose letter its code begins with. ANL01FL
chooses what is analysed: of lesions those of the read that counts; ANL02FL of ADTR those that
software found, apart from any reader.

```sas
libname x xport "adam/adtr.xpt" access=readonly;
data adtr; set x.adtr; where anl01fl = "Y"; run;
```

```r
adtr <- haven::read_xpt("adam/adtr.xpt")
aggregate(AVAL ~ PARAMCD + USUBJID, subset(adtr, ANL01FL == "Y"), max)
```
""",
        "adam-json": """\
## ADaM as Dataset-JSON

Dates are ISO 8601 and become numbers of SAS where a reader follows `targetDataType`. What the
datasets hold, and `adam/define.xml`, are as told for SAS transport files of ADaM.

```python
import json

with open("adam/adtr.json") as stream:
    file = json.load(stream)
names = [column["name"] for column in file["columns"]]
adtr = [dict(zip(names, row)) for row in file["rows"]]
counted = [one for one in adtr if one["ANL01FL"] == "Y"]
```
""",
    }
)


def text(formats: Iterable[Format | Package]) -> str:
    """The guide of an export that has these formats besides CSV."""
    return "\n".join([HEAD, *(SECTIONS[one.name] for one in formats)])
