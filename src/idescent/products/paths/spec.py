"""Keys of a figure of paths in the configuration.

What lives here: :class:`FigureSpec` and the selection of a figure's cells.  What does not: files, colours and
drawing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, ValidationError, model_validator

from idescent.drawing.style import LineKind
from idescent.store import DISCRETE
from idescent.study.values import Alpha, Count, Number, Positive, argument

Quantity = Annotated[str, Field(pattern=r"^[A-Za-z]\w*$")]
Cell = Mapping[str, Any]
Window = tuple[Number, Number]
Flag = Annotated[bool, Strict()]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Selection(BaseModel):
    """Cells by the class of their optimizer and, optionally, by some hyper-parameters."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Annotated[Any, AfterValidator(argument)]] = Field(init=False)

    optimizer: str = Field(min_length=1, description="class of the optimizer")

    @property
    def arguments(self) -> dict[str, float | str]:
        """The selected hyper-parameters, by name."""
        return dict(self.__pydantic_extra__)

    def matches(self, cell: Cell) -> bool:
        """Whether a cell has this optimizer and these hyper-parameters."""
        arguments = dict(cell["optimizer"].get("arguments", {}))
        if "schedule" in cell:
            arguments["schedule"] = cell["schedule"]["name"]
        return bool(
            cell["optimizer"]["class"] == self.optimizer
            and all(name in arguments and arguments[name] == value for name, value in self.arguments.items())
        )


class Inset(_Strict):
    """A magnified window inside the panel, with a marker for every iteration."""

    k: Window = Field(description="iterations shown")
    y: Window = Field(description="values shown")
    at: tuple[Number, Number, Number, Number] = Field(
        default=(0.45, 0.12, 0.5, 0.45), description="left, bottom, width, height as fractions of the panel"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Inset:
        if self.k[0] >= self.k[1] or self.y[0] >= self.y[1]:
            raise ValueError("the windows k and y of an inset must be [low, high] with low < high")
        return self


class Panel(_Strict):
    """One pair of axes, with all selected cells of one learning rate."""

    alpha: Alpha = Field(description="learning rate of the cells shown")
    k_max: Count | None = Field(default=None, description="last iteration shown; all by default")
    y: Window | None = Field(
        default=None,
        description="limits of the axis, for figures that readers compare; by default those of the values",
    )
    title: str | None = None
    inset: Inset | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Panel:
        if self.y is not None and self.y[0] >= self.y[1]:
            raise ValueError(f"y: {list(self.y)} is not allowed: must be [low, high] with low < high")
        return self


class LineStyle(_Strict):
    """Line style of one solution."""

    line: LineKind | None = Field(default=None, description="by default by position in the figure")
    width: Positive | None = Field(default=None, description="points; by default by position in the figure")
    label: str | None = Field(default=None, description="entry in the legend; a default by name")


class FigureSpec(_Strict):
    """One figure: its quantity, cells, paths and panels."""

    title: str = Field(min_length=1, description="heading of the figure")
    caption: str = Field(min_length=1, description="caption in the report")
    quantity: Quantity = Field(description="theta, loss, or a moment: G, v, m")
    objective: str = Field(min_length=1, description="name of the objective")
    select: tuple[Selection, ...] = Field(
        min_length=1, description="cells shown, by optimizer and hyper-parameters"
    )
    panels: tuple[Panel, ...] = Field(min_length=1, description="axes, one learning rate each")
    show: tuple[str, ...] = Field(
        default=(DISCRETE,), min_length=1, description="discrete, and names of solutions"
    )
    errors: Flag = Field(default=False, description="also draw |discrete - solution| over k")
    lines: dict[str, LineStyle] = Field(default_factory=dict, description="line style by solution name")
    width: Literal["double", "single"] = "double"
    x_label: str | None = None
    y_label: str | None = None
    x_scale: Literal["linear", "log"] = "linear"
    y_scale: Literal["linear", "log"] = "linear"

    @model_validator(mode="after")
    def _consistent(self) -> FigureSpec:
        if len(set(self.show)) != len(self.show):
            raise ValueError(f"show: {list(self.show)} is not allowed: it contains a path twice")
        if unknown := sorted(set(self.lines) - set(self.solutions)):
            raise ValueError(f"lines: {unknown[0]!r} is not allowed: must be one of {list(self.solutions)}")
        if self.y_scale == "log" and (low := [p.y for p in self.panels if p.y is not None and p.y[0] <= 0.0]):
            raise ValueError(f"y: {list(low[0])} is not allowed: must be positive on a logarithmic axis")
        if self.errors and (DISCRETE not in self.show or not self.solutions):
            raise ValueError(f"errors: show must contain 'discrete' and a solution, but is {list(self.show)}")
        return self

    @property
    def solutions(self) -> tuple[str, ...]:
        """Names of the figure's solutions, in order."""
        return tuple(name for name in self.show if name != DISCRETE)


def parse(name: str, values: Mapping[str, Any]) -> FigureSpec:
    """Check one entry of the configuration's ``figures``.

    Raises
    ------
    ValueError
        One line: field, value and the allowed values.
    """
    try:
        return FigureSpec.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(("figures", name, *map(str, first["loc"])))
        value = repr(first["input"])
        whole = first["type"] == "missing" or isinstance(first["input"], Mapping)
        quoted = "" if whole else f" {value[:60]} is not allowed:"
        raise ValueError(
            f"{field}:{quoted} {first['msg'].splitlines()[0].removeprefix('Value error, ')}"
        ) from None


def drawn(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts that a figure draws, by place in its entry; it does not draw title and caption."""
    texts = {key: values[key] for key in ("x_label", "y_label")}
    texts |= {f"panels.{i}.title": panel["title"] for i, panel in enumerate(values["panels"])}
    texts |= {f"lines.{name}.label": line["label"] for name, line in values["lines"].items()}
    return {where: text for where, text in texts.items() if text}


def chosen(spec: FigureSpec, panel: Panel, cells: Iterable[Cell]) -> list[Cell]:
    """Return the cells of one panel in the order of ``select``, without duplicates.

    Raises
    ------
    ValueError
        If an entry of ``select`` matches no cell, or a cell has fewer iterations than the panel.
    """
    candidates = [c for c in cells if c["objective"]["name"] == spec.objective and c["alpha"] == panel.alpha]
    selected: list[Cell] = []
    for selection in spec.select:
        matching = [cell for cell in candidates if selection.matches(cell)]
        if not matching:
            entry = " ".join([selection.optimizer, *(f"{k} {v}" for k, v in selection.arguments.items())])
            raise ValueError(
                f"select: {entry!r} is not allowed: "
                f"no cell of objective {spec.objective!r} with alpha {panel.alpha} matches"
            )
        selected += [cell for cell in matching if cell not in selected]
    short = [cell["steps"] for cell in selected if panel.k_max is not None and cell["steps"] < panel.k_max]
    if short:
        raise ValueError(
            f"panels: k_max {panel.k_max} is not allowed: "
            f"must be at most {short[0]}, the steps of a cell with alpha {panel.alpha}"
        )
    return selected


def required(spec: FigureSpec, cells: Sequence[Cell]) -> list[tuple[Cell, str]]:
    """Return the paths that a figure needs, as pairs of a cell and ``"discrete"`` or the name of a solution.

    Raises
    ------
    ValueError
        As :func:`chosen`.
    """
    pairs: list[tuple[Cell, str]] = []
    for panel in spec.panels:
        for cell in chosen(spec, panel, cells):
            # The plausibility of a solution depends on its run, even in a figure without the run.
            names = spec.show if DISCRETE in spec.show else (DISCRETE, *spec.show)
            pairs += [(cell, name) for name in names if (cell, name) not in pairs]
    return pairs
