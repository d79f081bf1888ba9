"""Keys of a configuration file, with the type and a description of each value.

What lives here: the sections of ``config/*.yaml`` as pydantic classes; the JSON schema is generated from
them.  What does not: the sections of the products (their own ``keys`` modules), checks across sections
(:mod:`idescent.config`), the expansion of the grid (:mod:`idescent.study.grid`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict, model_validator

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
"""Prefix of keys that are ignored: they are free for anchors, which YAML's aliases repeat elsewhere."""


def _class_shorthand(value: Any) -> Any:
    return {"class": value} if isinstance(value, str) else value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClassSpec(_Strict):
    """A class by name, and its arguments."""

    class_: ClassName = Field(
        alias="class", description="A class of the package, or your own as module:Class"
    )
    arguments: dict[str, Annotated[Any, AfterValidator(plain)]] = Field(
        default_factory=dict, description="Arguments of the class, by name"
    )

    def spec(self) -> dict[str, Any]:
        """Return the plain data from which :func:`idescent.study.registry.build` builds the object."""
        return {"class": self.class_, "arguments": dict(self.arguments)}


ClassOrName = Annotated[ClassSpec, BeforeValidator(_class_shorthand, json_schema_input_type=str | ClassSpec)]


class UntilSpec(_Strict):
    """A horizon at which the run has settled; it is computed by running the optimizer, cell by cell."""

    within: Tolerance = Field(
        description="A run has settled once the gradient's norm stays below this fraction of its first value"
    )
    at_most: Count = Field(description="Horizon, in iterations, of a run that has not settled by then")


class RunSpec(_Strict):
    """A block of the grid: one objective, one optimizer, all hyper-parameters times all learning rates."""

    objective: Name = Field(description="One of the names under objectives")
    optimizer: ClassName = Field(description="A class of idescent.optimizers, or your own as module:Class")
    theta0: Start = Field(
        description="Initial parameters: a number, a list, or {seed: 1} for a start drawn by the objective"
    )
    hyperparameters: dict[str, Values] = Field(
        default_factory=dict, description="Arguments of the optimizer: one value or a list of values for each"
    )
    alpha: Alphas = Field(description="Learning rates in (0, 1]")
    steps: Counts | None = Field(
        default=None, description="Horizon in iterations: one number, or one for each alpha"
    )
    time: Positive | None = Field(
        default=None, description="Instead of steps: horizon in time, steps = round(time / alpha)"
    )
    until: UntilSpec | None = Field(
        default=None, description="Instead of steps: the horizon at which the run has settled"
    )
    schedule: Name | None = Field(
        default=None, description="One of the names under schedules; by default the learning rate is constant"
    )
    solutions: Annotated[list[str], AfterValidator(filled)] | None = Field(
        default=None, description="Names of the solutions to compute for these cells; all by default"
    )
    leap: Annotated[bool, Strict()] = Field(
        default=False,
        description="Whether leaps replace long runs where they are cheaper; long paths store sampled rows",
    )

    @model_validator(mode="after")
    def _one_horizon(self) -> RunSpec:
        if [self.steps, self.time, self.until].count(None) != 2:
            raise ValueError("must have exactly one of steps, time and until")
        if self.steps is not None and len(self.steps) not in (1, len(self.alpha)):
            raise ValueError(f"steps must be one number, or {len(self.alpha)} numbers, one for each alpha")
        return self

    def horizon(self, i: int) -> int:
        """Return the number of iterations for learning rate ``i``, from ``steps`` or ``time``."""
        if self.steps is not None:
            return self.steps[0] if len(self.steps) == 1 else self.steps[i]
        return round((self.time or 0.0) / self.alpha[i])


class SolutionSpec(_Strict):
    """A solution: a continuous-time model, a solver and tolerances."""

    model: ClassOrName = Field(description="A class of idescent.models")
    solver: ClassOrName = Field(description="A class of idescent.solvers")
    rtol: Tolerance = Field(default=1e-9, description="Relative tolerance of theta")
    atol: Tolerance = Field(default=1e-12, description="Absolute tolerance of theta")
    reference: str | None = Field(
        default=None,
        description="Exact solution of the same model, to separate the solver's error from the model's",
    )


class GridSpec(_Strict):
    """A study: everything under ``results/<study>``.  Keys that begin with ``x-`` are ignored."""

    model_config = ConfigDict(json_schema_extra={"patternProperties": {f"^{FREE}": {}}})

    study: Name = Field(description="Name of the study and of its folder under results/")
    objectives: dict[Name, ClassOrName] = Field(description="Objective functions, by name")
    schedules: dict[Name, ClassOrName] = Field(
        default_factory=dict, description="Learning-rate schedules (factors of alpha), by name"
    )
    runs: Annotated[list[RunSpec], AfterValidator(filled)] = Field(description="The grid, block by block")
    solutions: dict[SolutionName, SolutionSpec] = Field(
        description="Continuous-time models and their solvers, by name; computed for every cell"
    )
    cells_per_job: PackSize = Field(
        default="auto", description="Cells in a job: a number, or auto to group them by estimated time"
    )
    seconds_per_job: Positive = Field(
        default=5.0,
        description="Target time of a job in seconds, if cells_per_job is auto",
    )

    @model_validator(mode="before")
    @classmethod
    def _without_free_keys(cls, raw: Any) -> Any:
        if not isinstance(raw, Mapping):
            return raw
        return {key: v for key, v in raw.items() if not (isinstance(key, str) and key.startswith(FREE))}
