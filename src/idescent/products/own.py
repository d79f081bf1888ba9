"""The user's own products: the section ``products`` of a configuration.

What lives here: creating the objects, and checking their rules.  What does not: the data types of a product
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
    """Create the user's products, by name.

    Raises
    ------
    ConfigError
        If a class cannot be imported or instantiated, or has no method ``rules``.
    """
    products = {}
    for name, entry in spec.products.items():
        try:
            products[name] = registry.build("product", entry.spec())
        except ValueError as error:
            raise ConfigError(f"config: products.{name}: {error}") from error
        if not callable(getattr(products[name], "rules", None)):
            raise refused(f"products.{name}", entry.class_, "must be a class with a method rules(study)")
    return products


def rules(study: Study, products: dict[str, Any], before: Sequence[Rule]) -> list[Rule]:
    """Return the rules of the user's products, in the order of the configuration.

    Raises
    ------
    ConfigError
        If a product returns anything but rules with jobs, or a rule repeats the name or an output of another.
    """
    own: list[Rule] = []
    for name, product in products.items():
        returned = product.rules(study)
        for rule in returned if isinstance(returned, Sequence) else [returned]:
            if not isinstance(rule, Rule) or not rule.jobs:
                problem = "rules(study) must return Rule objects with at least one job"
                raise ConfigError(f"config: products.{name}: {problem}")
            outputs = {file for other in (*before, *own) for file in other.made()}
            if rule.name in (other.name for other in (*before, *own)):
                raise refused(f"products.{name}", rule.name, "another rule has this name")
            if clash := sorted(outputs & set(rule.made())):
                raise refused(f"products.{name}", clash[0], "another rule writes this file")
            own.append(rule)
    return own


PRODUCT = Product(
    "products",
    (
        dict[Name, ClassOrName],
        Field(default_factory=dict, description="Your own tables and figures, by name: module:Class"),
    ),
    settings,
    rules,
)
