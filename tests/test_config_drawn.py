"""Configurations drawn at random: each expands to the cells it describes, and each mistake is plain lines."""

import copy
import itertools
import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from test_config_mistakes import JARGON

from idescent import config
from idescent.study import registry, texts

BETAS = {"AdaGrad": (), "RMSProp": ("beta",), "Adam": ("beta1", "beta2"), "AdamW": ("beta1", "beta2")}
NUMBERS = st.floats(-100.0, 100.0)
BETA = st.floats(0.0, 1.0, exclude_max=True)


def some(values, most=3):
    return st.lists(values, min_size=1, max_size=most, unique=True)


@st.composite
def solutions(draw):
    exact = {"model": "Paper", "solver": "Collocation", "rtol": draw(st.floats(1e-12, 1e-3))}
    found = {"exact": exact}
    if draw(st.booleans()):
        found["scheme"] = {"model": "Paper", "solver": {"class": "Picard"}, "reference": "exact"}
    if draw(st.booleans()):
        model = {"class": "HalfStep", "arguments": {"start": draw(st.integers(5, 50))}}
        found["half"] = {"model": model, "solver": "Collocation", "atol": draw(st.floats(1e-15, 1e-3))}
    return found


@st.composite
def configurations(draw):
    center = draw(st.lists(NUMBERS, min_size=1, max_size=3))
    objectives = {
        "bowl": {"class": "Quadratic", "arguments": {"center": center}},
        "well": {"class": "DoubleWell", "arguments": {"dimension": draw(st.integers(1, 3))}},
    }
    known = draw(solutions())
    pairs = draw(some(st.tuples(st.sampled_from(("bowl", "well")), st.sampled_from(tuple(BETAS)))))
    return {
        "study": "drawn",
        "objectives": objectives,
        "runs": [draw(blocks(*pair, len(center), known)) for pair in pairs],
        "solutions": known,
    }


@st.composite
def blocks(draw, objective, optimizer, n, known):
    alpha = draw(some(st.floats(1e-6, 1.0)))
    given = {name: draw(some(BETA)) for name in BETAS[optimizer]}
    if optimizer == "AdamW":
        given["weight_decay"] = draw(some(st.floats(0.0, 0.9)))
    block = {"objective": objective, "optimizer": optimizer, "hyperparameters": given, "alpha": alpha}
    block["theta0"] = (
        draw(st.lists(NUMBERS, min_size=n, max_size=n)) if objective == "bowl" else draw(NUMBERS)
    )
    if draw(st.booleans()):
        block["steps"] = [draw(st.integers(1, 10**6)) for _ in alpha]
    else:
        block["time"] = draw(st.floats(1.0, 1e2))
    if draw(st.booleans()):
        block["solutions"] = ["exact", *draw(st.lists(st.sampled_from(tuple(known)), max_size=2))]
    return block


def expanded(raw):
    study = config.load(raw)
    return {cell.folder: (cell.spec(), frozenset(cell.solutions)) for cell in study.cells}


@given(configurations())
def test_a_drawn_configuration_goes_through_yaml_to_the_cells_that_it_describes(raw):
    again = yaml.safe_load(yaml.safe_dump(raw, sort_keys=False))
    assert again == raw
    study = config.load(raw)
    assert study == config.load(again)
    wanted = [
        (
            run["objective"],
            run["optimizer"],
            alpha,
            dict(zip(run["hyperparameters"], values, strict=True)),
            steps,
        )
        for run in raw["runs"]
        for values in itertools.product(*run["hyperparameters"].values())
        for alpha, steps in zip(
            run["alpha"], run.get("steps") or [round(run["time"] / a) for a in run["alpha"]], strict=True
        )
    ]
    assert len(study.cells) == len(wanted)
    for cell, (objective, optimizer, alpha, arguments, steps) in zip(study.cells, wanted, strict=True):
        spec = json.loads(json.dumps(cell.spec()))
        assert spec == cell.spec()
        assert (spec["objective"]["name"], spec["alpha"], spec["steps"]) == (objective, alpha, steps)
        built = registry.optimizer(spec["optimizer"])
        assert type(built).__name__ == optimizer
        assert built.hyperparameters.items() >= arguments.items()
    paths = [study.path(cell, name) for cell in study.cells for name in ("discrete", *cell.solutions)]
    assert len(set(paths)) == len(paths)


@given(configurations(), st.randoms(use_true_random=False))
def test_neither_blocks_nor_keys_nor_values_of_a_grid_have_an_order_that_cells_feel(raw, random):
    def shuffled(value):
        if isinstance(value, dict):
            items = [(key, shuffled(inner)) for key, inner in value.items()]
            random.shuffle(items)
            return dict(items)
        return value

    other = shuffled(copy.deepcopy(raw))
    other["runs"] = [shuffled(run) for run in other["runs"]]
    random.shuffle(other["runs"])
    for run in other["runs"]:
        for values in run["hyperparameters"].values():
            random.shuffle(values)
    assert expanded(other) == expanded(raw)


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(),
    st.integers(-(2**70), 2**70),
    st.text(max_size=5),
    st.sampled_from(["../x", "Adam", "exact", "a:b", "1e5", "{wildcard}", "x" * 300]),
    st.lists(st.floats() | st.text(max_size=3) | st.none(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers() | st.floats(), max_size=2),
)


def places(value, at=()):
    """Every path in nested mappings and lists, that of the whole left out."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*at, key)
        yield from places(inner, (*at, key))


def find(raw, path):
    for key in path:
        raw = raw[key]
    return raw


def assert_plain(text):
    lines = text.split("\n")
    # A mapping that replaces a run lacks its four keys, and has at most two of its own.
    assert 1 <= len(lines) <= 6
    assert len(set(lines)) == len(lines)
    for line in lines:
        assert line.startswith("config: ")
        assert line.isprintable()
        assert len(line) < 500
        assert not JARGON.search(line)
    return lines


@settings(max_examples=300)
@given(st.data(), configurations(), JUNK)
def test_junk_anywhere_in_a_configuration_is_a_study_or_plain_lines(data, raw, junk):
    path = data.draw(st.sampled_from(sorted(places(raw), key=repr)))
    parent = find(raw, path[:-1])
    if data.draw(st.booleans()):
        parent[path[-1]] = junk
    else:
        del parent[path[-1]]
    try:
        assert config.load(raw).cells
    except config.ConfigError as error:
        assert_plain(str(error))


@given(st.data(), configurations(), JUNK)
def test_a_key_that_no_section_has_is_one_line_that_names_it(data, raw, junk):
    sections = [(), ("objectives", "bowl"), ("runs", 0), ("solutions", "exact")]
    path = data.draw(st.sampled_from(sections))
    find(raw, path)["nobody_knows"] = junk
    with pytest.raises(config.ConfigError) as caught:
        config.load(raw)
    lines = assert_plain(str(caught.value))
    # Texts with control characters are refused first, one line each.
    assert len(lines) == max(1, len(list(texts.forbidden(junk))))
    assert all(line.startswith(f"config: {'.'.join(map(str, (*path, 'nobody_knows')))}") for line in lines)
