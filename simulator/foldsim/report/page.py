"""The page assembled from markup, style, scripts, plotting library and data."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from foldsim.report.constants import profile_notes
from foldsim.report.data import SIGNIFICANT_DIGITS, check_rows, design_axes, dictionary, encode
from foldsim.report.errors import ReportError
from foldsim.sweeps.results import Results

_HERE = Path(__file__).parent
SCRIPTS = ("page.js", "verdict.js", "charts.js", "table.js", "sources.js", "start.js")


def render(results: Results) -> str:
    """The page as text."""
    check_rows(results)
    axes = design_axes(results)
    plotly = plotly_source()
    meta = {
        "axes": axes,
        "columns": dictionary(results),
        "significant_digits": SIGNIFICANT_DIGITS,
        "provenance": results.provenance,
        "profiles": profile_notes(results),
    }
    script = "\n".join(_text_of(name) for name in SCRIPTS)
    parts = {
        "POLICY": _policy(script, plotly),
        "STYLE": _text_of("page.css"),
        "META": json_for_html(meta),
        "ROWS": packed(json.dumps(encode(results), separators=(",", ":"), allow_nan=False).encode()),
        "PLOTLY": packed(plotly),
        "SCRIPT": script,
    }
    # A single pass, so that placeholders in the data are not replaced.
    return re.sub(r"@@([A-Z]+)@@", lambda mark: parts[mark[1]], _text_of("page.html"))


def plotly_source() -> bytes:
    """plotly.js from the PyPI package plotly.

    Raises
    ------
    ReportError
        If the package is not installed.
    """
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise ReportError("the report needs plotly: pip install 'foldsim[report]'") from None
    return str(get_plotlyjs()).encode()


def json_for_html(data: Any) -> str:
    """JSON without characters that HTML interprets."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))  # ASCII only: U+2028 and U+2029 are escaped too
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def packed(data: bytes) -> str:
    """Gzip without a timestamp, in base64."""
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode("ascii")


def _text_of(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _policy(script: str, plotly: bytes) -> str:
    """Content security policy that allows only these two scripts and no requests."""
    allowed = " ".join(_hash(text) for text in (f"\n{script}\n".encode(), plotly))
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(data: bytes) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(data).digest()).decode('ascii')}'"
