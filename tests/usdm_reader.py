"""Reads USDM files with a library that nobody here wrote, in an environment of its own.

Prints, as JSON, what its model and each of its rules found wrong with each file.
"""

import json
import sys
from pathlib import Path

from usdm4 import USDM4
from usdm4.api.wrapper import Wrapper


def found(path: str) -> dict:
    wrapper = Wrapper.model_validate(json.loads(Path(path).read_text()))
    design = wrapper.study.versions[0].studyDesigns[0]
    rows = USDM4().validate(path).to_dict()
    return {
        "criteria": [one.identifier for one in design.eligibilityCriteria],
        "passed": sum(row["status"] == "Success" for row in rows),
        "failed": sorted({row["rule_id"] for row in rows if row["status"] == "Failure"}),
        "errors": sorted({row["rule_id"] for row in rows if row["status"] == "Exception"}),
    }


print(json.dumps({path: found(path) for path in sys.argv[1:]}))
