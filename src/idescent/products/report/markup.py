"""Text in reStructuredText, for Snakemake's own report."""

from __future__ import annotations

import re


def restructured(text: str) -> str:
    """Escape a text for reStructuredText: one paragraph without markup.

    A directive in a caption could otherwise include a file of the machine, or a script, in Snakemake's own
    report.
    """
    return re.sub(r"([^\w\s])", r"\\\1", " ".join(text.split()))
