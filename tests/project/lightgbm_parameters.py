"""Ask the installed LightGBM for its parameters, and write what project/settings/lightgbm.py reads.

After an update of LightGBM:

    python tests/project/lightgbm_parameters.py

Names and aliases come from LightGBM's C API; types and ranges from what it says to values that cannot be right.
"""

from __future__ import annotations

import ctypes
import json
import re
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

PATH = Path(__file__).resolve().parents[2] / "project" / "settings" / "lightgbm_parameters.json"
# LightGBM does not check these when it parses them.
INTEGER_LISTS = {"eval_at", "max_bin_by_feature", "monotone_constraints"}
# The question would change the threads of this process, or allocate a matrix of the squared size.
UNASKED: dict[str, Any] = {"num_threads": {"type": "int"}, "num_class": {"type": "int", "exclusiveMinimum": 0.0}}
TOO_SMALL, TOO_LARGE = -1_000_000_000, 1_000_000_000
BOUNDS = {">": "exclusiveMinimum", ">=": "minimum", "<": "exclusiveMaximum", "<=": "maximum"}


def installed_parameters() -> dict[str, Any]:
    """Describe the parameters of the installed LightGBM, in the form of the file."""
    from lightgbm.basic import _ConfigAliases

    return {
        name: {"aliases": sorted({*names} - {name})} | (UNASKED.get(name) or describe(name))
        for name, names in sorted(_ConfigAliases._get_all_param_aliases().items())
    }


def describe(name: str) -> dict[str, Any]:
    """Find the type and the range of a parameter."""
    answer = parse(f"{name}=x")
    if "should be of type int" in answer:
        return {"type": "int"} | range_of(name)
    if "Unknown token x" in answer:
        return {"type": "double"} | range_of(name)
    if 'should be "true"' in answer:
        return {"type": "bool"}
    if "stod" in answer:
        return {"type": "doubles"}
    return {"type": "ints" if name in INTEGER_LISTS else "string"}


def range_of(name: str) -> dict[str, float]:
    found = {}
    for value in (TOO_SMALL, TOO_LARGE):
        if check := re.search(rf"Check failed: \({name}\) (<=?|>=?) \(([-0-9.e]+)\)", parse(f"{name}={value}")):
            found[BOUNDS[check[1]]] = float(check[2])
    return found


def parse(parameters: str) -> str:
    """Return what LightGBM says to parameters, nothing if it accepts them."""
    from lightgbm.basic import _LIB

    _LIB.LGBM_GetLastError.restype = ctypes.c_char_p
    rows = ctypes.c_int()
    if _LIB.LGBM_GetSampleCount(ctypes.c_int32(10), parameters.encode(), ctypes.byref(rows)) == 0:
        return ""
    return str(_LIB.LGBM_GetLastError().decode())


def main() -> None:
    lines = (f"    {json.dumps(name)}: {json.dumps(entry)}" for name, entry in installed_parameters().items())
    head = f'{{\n  "lightgbm": "{version("lightgbm")}",\n  "parameters": {{\n'
    content = head + ",\n".join(lines) + "\n  }\n}\n"
    Path(sys.argv[1] if sys.argv[1:] else PATH).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
