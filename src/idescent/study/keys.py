"""The keys of a configuration file, their types, and what each value may be.

What lives here: the typed form of ``config/*.yaml``, one class a section; the JSON schema is made from it.
What does not: checks across sections and the expansion of the grid (:mod:`idescent.config`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from idescent.study.values import (
    Alphas,
    ClassName,
    Count,
    Counts,
    Name,
    PackSize,
    Positive,
    SolutionName,
    Start,
    Tolerance,
    Values,
    filled,
    plain,
)

FREE = "x-"
"""What keys begin with that mean nothing here: they hold what YAML's aliases repeat elsewhere."""


def _class_shorthand(value: Any) -> Any:
    return {"class": value} if isinstance(value, str) else value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClassSpec(_Strict):
    """A class by name, and what it is called with."""

    class_: ClassName = Field(
        alias="class", description="A class of the package, or your own as module:Class"
    )
    arguments: dict[str, Annotated[Any, AfterValidator(plain)]] = Field(
        default_factory=dict, description="Its arguments by name"
    )

    def spec(self) -> dict[str, Any]:
        """Return the plain form that :mod:`idescent.study.registry` builds from."""
        return {"class": self.class_, "arguments": dict(self.arguments)}


ClassOrName = Annotated[ClassSpec, BeforeValidator(_class_shorthand, json_schema_input_type=str | ClassSpec)]


class UntilSpec(_Strict):
    """A horizon in iterations that is found by running the optimizer, cell by cell."""

    within: Tolerance = Field(
        description="The gradient's norm, as a fraction of that at the start, at which a run has settled"
    )
    at_most: Count = Field(description="Horizon of a run that has not settled by then")


class RunSpec(_Strict):
    """A block of the grid: one objective and one optimizer; all hyper-parameters times all learning rates."""

    objective: Name = Field(description="One of the names under objectives")
    optimizer: ClassName = Field(
        description="AdaGrad, RMSProp, Adam, AdamW, AdamL2, or your own as module:Class"
    )
    theta0: Start = Field(
        description="Initial parameters: a number, a vector, or {seed: 1} for a start drawn by the objective"
    )
    hyperparameters: dict[str, Values] = Field(
        default_factory=dict, description="The optimizer's own arguments: a value or a list of values each"
    )
    alpha: Alphas = Field(description="Learning rates in (0, 1]")
    steps: Counts | None = Field(
        default=None, description="Horizon in iterations: one number, or one for each alpha"
    )
    time: Positive | None = Field(
        default=None, description="Horizon in time instead: steps = round(time / alpha)"
    )
    until: UntilSpec | None = Field(default=None, description="Horizon at which the run has settled instead")
    schedule: Name | None = Field(
        default=None, description="One of the names under schedules; by default the learning rate is constant"
    )
    solutions: Annotated[list[str], AfterValidator(filled)] | None = Field(
        default=None, description="Which of the solutions are solved for these cells; all by default"
    )

    @model_validator(mode="after")
    def _one_horizon(self) -> RunSpec:
        if [self.steps, self.time, self.until].count(None) != 2:
            raise ValueError("must have exactly one of steps, time and until")
        if self.steps is not None and len(self.steps) not in (1, len(self.alpha)):
            raise ValueError(f"steps must be one number or {len(self.alpha)} of them, one for each alpha")
        return self

    def horizon(self, i: int) -> int:
        """Return the number of iterations for the i-th learning rate, if it does not depend on the run."""
        if self.steps is not None:
            return self.steps[0] if len(self.steps) == 1 else self.steps[i]
        return round((self.time or 0.0) / self.alpha[i])


class SolutionSpec(_Strict):
    """A continuous-time model, how it is solved, and to what tolerance."""

    model: ClassOrName = Field(description="A class of idescent.models")
    solver: ClassOrName = Field(description="A class of idescent.solvers")
    rtol: Tolerance = Field(default=1e-9, description="Relative tolerance of theta")
    atol: Tolerance = Field(default=1e-12, description="Absolute tolerance of theta")
    reference: str | None = Field(
        default=None,
        description="Name of the exact solution of the same model: errors are split into model and solver",
    )


class GridSpec(_Strict):
    """One study: everything under ``results/<study>``; keys that begin with ``x-`` are of no meaning."""

    model_config = ConfigDict(json_schema_extra={"patternProperties": {f"^{FREE}": {}}})

    study: Name = Field(description="Name of the study and of its folder under results/")
    objectives: dict[Name, ClassOrName] = Field(description="What is minimised, by name")
    schedules: dict[Name, ClassOrName] = Field(
        default_factory=dict, description="What the learning rate is multiplied by, by name"
    )
    runs: Annotated[list[RunSpec], AfterValidator(filled)] = Field(description="The grid, block by block")
    solutions: dict[SolutionName, SolutionSpec] = Field(
        description="Which models are solved for every cell, and how"
    )
    cells_per_job: PackSize = Field(
        default="auto", description="Cells that share a job: a number, or auto by their estimated time"
    )
    seconds_per_job: Positive = Field(
        default=5.0,
        description="Least work of a job in seconds where cells_per_job is auto and cells suffice",
    )

    @model_validator(mode="before")
    @classmethod
    def _without_free_keys(cls, raw: Any) -> Any:
        if not isinstance(raw, Mapping):
            return raw
        return {key: v for key, v in raw.items() if not (isinstance(key, str) and key.startswith(FREE))}
