"""Whether texts can be drawn: formulas that can be set, characters that the font has.

What lives here: :func:`check`, which draws those texts that are in doubt, and remembers that it did.  What
does not: which texts are drawn (:mod:`.spec`).
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

# No formula, and characters that matplotlib's own font is known to have: these need not be tried.
_PLAIN = re.compile(r"[\n -#%-~\u00a1-\u017fΑ-ΡΣ-Ωα-ωА-яё–—‘’“”…]*")


def texts_of(study: Study) -> dict[str, str]:
    """Return all texts of a study that are drawn, by their place in the configuration."""
    found = {
        f"figures.{name}.{place}": text
        for name, figure in study.settings["figures"].items()
        for place, text in drawn(figure.spec).items()
    }
    # Of all that is drawn besides, only names of arguments are not made of ASCII's letters and digits.
    optimizers = [cell.optimizer for cell in study.cells]
    further = (*study.settings["forecast"], *study.settings["ensembles"].values())
    optimizers += [cell["optimizer"] for cell in further]
    for optimizer in optimizers:
        found |= {f"hyperparameters.{name}": name for name in optimizer["arguments"]}
    return found


def check(study: Study, folder: Path) -> None:
    """Check that all texts of a study that are drawn can be.

    Matplotlib is loaded only if a text is in doubt that was not drawn at the last check.

    Parameters
    ----------
    study : Study
    folder : path
        Where a file lies that holds the digest of the texts that were drawn.

    Raises
    ------
    ConfigError
        One line for each text that cannot: place, text, and what is allowed.
    """
    texts, memory = texts_of(study), folder / f"{study.name}.drawn"
    rule = f"must be at most {LONGEST} characters long: it is drawn"
    problems = {where: rule for where, text in texts.items() if len(text) > LONGEST}
    short = {text for text in texts.values() if len(text) <= LONGEST}
    doubtful = sorted(text for text in short if not _PLAIN.fullmatch(text))
    if doubtful and not _remembered(memory, key := _key(doubtful)):
        found = {text: problem for text in doubtful if (problem := _problem(text))}
        problems |= {where: found[text] for where, text in texts.items() if text in found}
        if not found:
            memory.parent.mkdir(parents=True, exist_ok=True)
            write_text(memory, key)
    lines = [
        f"config: {where}: {shown(texts[where])} is not allowed: {problem}"
        for where, problem in problems.items()
    ]
    if lines:
        raise ConfigError("\n".join(lines))


def _key(texts: list[str]) -> str:
    """Return the digest of texts and of what draws them."""
    return hashlib.sha256(json.dumps([texts, version("matplotlib")]).encode()).hexdigest()


def _remembered(memory: Path, key: str) -> bool:
    return memory.is_file() and memory.read_text(encoding="utf-8") == key


def _problem(text: str) -> str:
    """Draw a text; return why it cannot be drawn, or nothing."""
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
    except Exception as error:  # whatever matplotlib raises, it cannot draw this
        reason = str(error).strip().splitlines() or [type(error).__name__]
        return f"this is no formula of matplotlib's mathtext: {reason[-1]}"
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagated
    missing = [message for message in (*(str(one.message) for one in warned), *messages) if "lyph" in message]
    return f"the font has not all characters: {' '.join(missing[0].split())}" if missing else ""
