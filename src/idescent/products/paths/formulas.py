"""Check that matplotlib can draw the texts of a study: formulas, and the characters of its font.

What lives here: :func:`check`, which draws uncertain texts and stores a digest of those that it drew.  What
does not: which texts a figure draws (:mod:`.spec`).
"""

from __future__ import annotations

import hashlib
import json
import re
from importlib.metadata import version
from pathlib import Path

from idescent.products.paths.spec import drawn
from idescent.store.files import write_text
from idescent.study.cells import Study
from idescent.study.messages import ConfigError, shown

LONGEST = 500

# Texts without a formula and with characters of matplotlib's font: they need no trial.
_PLAIN = re.compile(r"[\n -#%-~\u00a1-\u017fΑ-ΡΣ-Ωα-ωА-яё–—‘’“”…]*")


def texts_of(study: Study) -> dict[str, str]:
    """Return all texts that the figures of a study draw, by their place in the configuration."""
    texts = {
        f"figures.{name}.{place}": text
        for name, figure in study.settings["figures"].items()
        for place, text in drawn(figure.spec).items()
    }
    # Figures also draw the names of hyper-parameters, which may have any letters; all other texts are ASCII.
    optimizers = [cell.optimizer for cell in study.cells]
    further = (*study.settings["forecast"], *study.settings["ensembles"].values())
    optimizers += [cell["optimizer"] for cell in further]
    for optimizer in optimizers:
        texts |= {f"hyperparameters.{name}": name for name in optimizer["arguments"]}
    return texts


def check(study: Study, folder: Path) -> None:
    """Check that matplotlib can draw all texts of a study.

    Matplotlib is loaded only if the uncertain texts differ from those of the last successful check.

    Parameters
    ----------
    study : Study
    folder : path
        Folder of the file with the digest of the last successful check.

    Raises
    ------
    ConfigError
        One line for each text that matplotlib cannot draw: place, text, and the allowed values.
    """
    texts, memory = texts_of(study), folder / f"{study.name}.drawn"
    rule = f"must be at most {LONGEST} characters long: a figure draws this text"
    problems = {where: rule for where, text in texts.items() if len(text) > LONGEST}
    short = {text for text in texts.values() if len(text) <= LONGEST}
    doubtful = sorted(text for text in short if not _PLAIN.fullmatch(text))
    if doubtful and not _remembered(memory, key := _key(doubtful)):
        failures = {text: problem for text in doubtful if (problem := _problem(text))}
        problems |= {where: failures[text] for where, text in texts.items() if text in failures}
        if not failures:
            memory.parent.mkdir(parents=True, exist_ok=True)
            write_text(memory, key)
    lines = [
        f"config: {where}: {shown(texts[where])} is not allowed: {problem}"
        for where, problem in problems.items()
    ]
    if lines:
        raise ConfigError("\n".join(lines))


def _key(texts: list[str]) -> str:
    """Return the digest of texts and of matplotlib's version."""
    return hashlib.sha256(json.dumps([texts, version("matplotlib")]).encode()).hexdigest()


def _remembered(memory: Path, key: str) -> bool:
    return memory.is_file() and memory.read_text(encoding="utf-8") == key


def _problem(text: str) -> str:
    """Draw a text; return the reason if matplotlib cannot draw it, otherwise an empty string."""
    import logging
    import warnings

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from idescent.drawing.saving import styled

    messages: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: messages.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("matplotlib.mathtext")
    propagated, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        with styled(), warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            figure = Figure(figsize=(1.0, 1.0))
            figure.text(0.5, 0.5, text)
            FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]
    except Exception as error:  # matplotlib raises many types for texts that it cannot draw
        reason = str(error).strip().splitlines() or [type(error).__name__]
        return f"must be a valid formula of matplotlib's mathtext: {reason[-1]}"
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagated
    # Matplotlib reports a missing character as "Glyph" or, in a formula, as "glyph".
    missing = [message for message in (*(str(one.message) for one in warned), *messages) if "lyph" in message]
    return f"the font lacks some of its characters: {' '.join(missing[0].split())}" if missing else ""
