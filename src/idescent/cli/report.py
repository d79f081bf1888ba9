"""``idescent report``: the page of a study in the browser.

What lives here: finding the page, and opening it.  What does not: the page itself
(:mod:`idescent.products.report`).
"""

from __future__ import annotations

import argparse
import os
import sys
import webbrowser
from typing import Any

from idescent.cli import run as command
from idescent.cli import studies

HELP = """\
Open the report of a study in the browser; run the study first if there is no report.

CONFIG is as for idescent run.  The command prints the path of the page, results/STUDY/report.html.  Without a
graphical display it opens nothing.
"""
EPILOG = """\
examples
  idescent report smoke --no-browser
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("config", nargs="?", default="", metavar="CONFIG", help="file or study")
    command.add_resources(parser)
    parser.add_argument("--no-browser", action="store_true", help="print the path only")


def run(options: Any) -> int:
    """Print the path of the page and open it; return the exit status."""
    configuration = studies.find(options.config)
    page = configuration.results / "report.html"
    if not page.is_file() and (status := command.execute(configuration, options.cores, options.profile)):
        return status
    sys.stdout.write(f"{page}\n")
    display = sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    if display and not options.no_browser:
        webbrowser.open(page.absolute().as_uri())
    return 0
