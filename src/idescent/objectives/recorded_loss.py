"""The objective of a recorded run that no class describes.

What lives here: a name instead of a loss, so that the files of such runs can be read, drawn and compared.
What does not: the recording (:mod:`idescent.store.recorder`).
"""

from __future__ import annotations

from typing import NoReturn

from idescent.objectives.protocol import Array


class RecordedLoss:
    """A loss that only its own training loop can evaluate.

    Parameters
    ----------
    name : str
        The name that the recorder was given.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def value(self, theta: Array) -> NoReturn:
        """Raise ValueError: the loss is not known."""
        raise ValueError(
            f"the loss of the recorded run {self.name!r} is not stored: "
            "name its class to the recorder, objective='module:Class'"
        )

    gradient = value
