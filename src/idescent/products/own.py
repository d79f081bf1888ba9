"""Products of the user's own: the section ``products`` of a configuration.

What lives here: building them by name, and checking what they return.  What does not: what a product is
(:mod:`.product`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from idescent.products.product import Product, Rule
from idescent.study import registry
from idescent.study.cells import Study
from idescent.study.keys import ClassOrName
from idescent.study.messages import ConfigError, refused
from idescent.study.values import Name


def settings(spec: Any, study: Study) -> dict[str, Any]:
    """Build the objects; each must have a method ``rules(study)``."""
    found = {}
    for name, entry in spec.products.items():
        try:
            found[name] = registry.build("product", entry.spec())
        except ValueError as error:
            raise ConfigError(f"config: products.{name}: {error}") from error
        if not callable(getattr(found[name], "rules", None)):
            raise refused(f"products.{name}", entry.class_, "must be a class with a method rules(study)")
    return found


def rules(study: Study, given: dict[str, Any], before: Sequence[Rule]) -> list[Rule]:
    """Return the rules of all of them, in the order of the configuration."""
    found: list[Rule] = []
    for name, product in given.items():
        added = product.rules(study)
        for rule in added if isinstance(added, Sequence) else [added]:
            if not isinstance(rule, Rule) or not rule.jobs:
                raise ConfigError(f"config: products.{name}: rules(study) must return Rules that have jobs")
            taken = {file for other in (*before, *found) for file in other.made()}
            if rule.name in (other.name for other in (*before, *found)):
                raise refused(f"products.{name}", rule.name, "another rule has this name")
            if clash := sorted(taken & set(rule.made())):
                raise refused(f"products.{name}", clash[0], "another rule makes this file")
            found.append(rule)
    return found


PRODUCT = Product(
    "products",
    (
        dict[Name, ClassOrName],
        Field(default_factory=dict, description="Tables and figures of your own, by name: module:Class"),
    ),
    settings,
    rules,
)
