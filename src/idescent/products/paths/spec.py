"""What a figure shows, as typed configuration.

What lives here: :class:`FigureSpec` and the choice of cells that a figure needs.  What does not: files,
colours and drawing.
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
    """Optimizers to show: a class and, optionally, some hyper-parameters; all cells that have them."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Annotated[Any, AfterValidator(argument)]] = Field(init=False)

    optimizer: str = Field(min_length=1, description="class of the optimizer")

    @property
    def arguments(self) -> dict[str, float | str]:
        """The hyper-parameters asked for, by name."""
        return dict(self.__pydantic_extra__)

    def matches(self, cell: Cell) -> bool:
        """Whether a cell runs this optimizer with these hyper-parameters."""
        given = dict(cell["optimizer"].get("arguments", {}))
        if "schedule" in cell:
            given["schedule"] = cell["schedule"]["name"]
        wanted = self.arguments
        return bool(
            cell["optimizer"]["class"] == self.optimizer
            and all(name in given and given[name] == value for name, value in wanted.items())
        )


class Inset(_Strict):
    """A magnified window, drawn in free space of the panel with every iteration marked."""

    k: Window = Field(description="iterations shown")
    y: Window = Field(description="values shown")
    at: tuple[Number, Number, Number, Number] = Field(
        default=(0.45, 0.12, 0.5, 0.45), description="left, bottom, width, height as fractions of the panel"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Inset:
        if self.k[0] >= self.k[1] or self.y[0] >= self.y[1]:
            raise ValueError("inset windows must be given as [low, high] with low < high")
        return self


class Panel(_Strict):
    """One pair of axes: all selected cells with this learning rate."""

    alpha: Alpha = Field(description="learning rate of the cells shown")
    k_max: Count | None = Field(default=None, description="last iteration shown; all by default")
    title: str | None = None
    inset: Inset | None = None


class LineStyle(_Strict):
    """How the lines of one solution are drawn."""

    line: LineKind = "solid"
    width: Positive = Field(default=1.2, description="points")
    label: str | None = Field(default=None, description="entry in the legend; a default by name")


class FigureSpec(_Strict):
    """One figure: which quantity of which cells, in which panels, from which paths."""

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
            raise ValueError(f"show: {list(self.show)} is not allowed: it names a path twice")
        if unknown := sorted(set(self.lines) - set(self.solutions)):
            raise ValueError(f"lines: {unknown[0]!r} is not allowed: must be one of {list(self.solutions)}")
        if self.errors and (DISCRETE not in self.show or not self.solutions):
            raise ValueError(f"errors: show must hold 'discrete' and a solution, but is {list(self.show)}")
        return self

    @property
    def solutions(self) -> tuple[str, ...]:
        """Names of the solutions shown, in order."""
        return tuple(name for name in self.show if name != DISCRETE)


def parse(name: str, values: Mapping[str, Any]) -> FigureSpec:
    """Check one entry of the configuration's ``figures``.

    Raises
    ------
    ValueError
        One line: field, value and what is allowed.
    """
    try:
        return FigureSpec.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(("figures", name, *map(str, first["loc"])))
        value = repr(first["input"])
        whole = first["type"] == "missing" or isinstance(first["input"], Mapping)
        shown = "" if whole else f" {value[:60]} is not allowed:"
        raise ValueError(
            f"{field}:{shown} {first['msg'].splitlines()[0].removeprefix('Value error, ')}"
        ) from None


def drawn(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts of a figure's entry that are drawn, by place; title and caption stand beside it."""
    found = {key: values[key] for key in ("x_label", "y_label")}
    found |= {f"panels.{i}.title": panel["title"] for i, panel in enumerate(values["panels"])}
    found |= {f"lines.{name}.label": line["label"] for name, line in values["lines"].items()}
    return {where: text for where, text in found.items() if text}


def chosen(spec: FigureSpec, panel: Panel, cells: Iterable[Cell]) -> list[Cell]:
    """Return the cells that one panel shows, in the order of ``select``, each once.

    Raises
    ------
    ValueError
        If an entry of ``select`` matches no cell, or the panel reaches beyond the iterations of one.
    """
    mine = [c for c in cells if c["objective"]["name"] == spec.objective and c["alpha"] == panel.alpha]
    found: list[Cell] = []
    for selection in spec.select:
        matching = [cell for cell in mine if selection.matches(cell)]
        if not matching:
            wanted = " ".join([selection.optimizer, *(f"{k} {v}" for k, v in selection.arguments.items())])
            raise ValueError(
                f"select: {wanted!r} is not allowed: "
                f"no cell of objective {spec.objective!r} with alpha {panel.alpha} is that"
            )
        found += [cell for cell in matching if cell not in found]
    short = [cell["steps"] for cell in found if panel.k_max is not None and cell["steps"] < panel.k_max]
    if short:
        raise ValueError(
            f"panels: k_max {panel.k_max} is not allowed: "
            f"with alpha {panel.alpha} must be at most {short[0]}, the steps of a cell"
        )
    return found


def required(spec: FigureSpec, cells: Sequence[Cell]) -> list[tuple[Cell, str]]:
    """Return what a figure is drawn from: pairs of a cell and ``"discrete"`` or the name of a solution.

    Raises
    ------
    ValueError
        As :func:`chosen`.
    """
    pairs: list[tuple[Cell, str]] = []
    for panel in spec.panels:
        for cell in chosen(spec, panel, cells):
            # A solution is judged beside its run, whether that is shown or not.
            names = spec.show if DISCRETE in spec.show else (DISCRETE, *spec.show)
            pairs += [(cell, name) for name in names if (cell, name) not in pairs]
    return pairs
