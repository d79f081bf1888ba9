"""The fixed-mesh pieces of the exact solver: Radau nodes, memories, windows."""

import numpy as np
import pytest

import idescent as ide
from idescent.models.equation import Equation, Memory
from idescent.objectives import CountedObjective
from idescent.solvers import march
from idescent.solvers.march import March
from idescent.solvers.problem import Problem
from idescent.solvers.radau import radau
from idescent.solvers.rows import SolutionRows
from idescent.solvers.window import State, Window, relax_window


@pytest.mark.parametrize("stages", [2, 3, 5, 9])
def test_radau_integrates_and_interpolates_polynomials_exactly(stages):
    method = radau(stages)
    for degree in range(stages):
        assert np.allclose(
            method.integration @ method.nodes**degree, method.nodes ** (degree + 1) / (degree + 1), atol=1e-14
        )
    # At the right end the quadrature is exact to degree 2p - 2.
    for degree in range(2 * stages - 1):
        assert abs(method.integration[-1] @ method.nodes**degree - 1 / (degree + 1)) < 1e-14
    x = np.linspace(0.0, 1.0, 7)
    values = np.concatenate(([0.0], method.nodes)) ** stages
    assert np.allclose(method.weights(x) @ values, x**stages, atol=1e-13)
    assert np.allclose(method.interpolate(x, values[:, None])[:, 0], x**stages, atol=1e-13)


def decay_problem(stages):
    """theta' = -g with g = 2 theta, so theta = exp(-2 s); the memory of g^2 has a closed form."""
    equation = Equation(
        memories=(Memory("v", gain=0.5, rate=0.3, squared=True),),
        velocity=lambda s, theta, gradient, memories: -gradient,
        mobility=lambda s, memories: np.ones_like(memories[0]),
    )
    return Problem(equation, ide.RMSProp(0.5), CountedObjective(ide.Quadratic(0.0)), radau(stages))


@pytest.mark.parametrize("stages", [2, 3])
def test_elements_have_order_two_p_minus_one_at_their_ends(stages):
    """Larger error of theta and memory at s = 2, uniform meshes in the window below."""
    counts = [32, 64, 128, 256] if stages == 2 else [16, 24, 36, 54]
    errors = []
    for count in counts:
        start = State(0.0, np.array([1.0]), [np.array([0.0])])
        window = Window(start, np.full(count, 2.0 / count), np.ones((count, stages, 1)))
        assert relax_window(decay_problem(stages), window, 1e-14, 50).converged
        exact = 0.5 * 4.0 * (np.exp(-8.0) - np.exp(-0.6)) / (0.3 - 4.0)
        at = max(abs(window.theta[-1, -1, 0] - np.exp(-4.0)), abs(window.memories[0][-1, -1, 0] - exact))
        errors.append(at)
    slopes = np.diff(np.log(errors)) / -np.diff(np.log(counts))
    assert (np.abs(slopes - (2 * stages - 1)) <= 0.1).all(), slopes


def test_a_stiff_element_is_solved_in_a_few_newton_sweeps():
    """Rate 2e6 on an element of length 5: the plain fixed point would diverge."""
    problem = decay_problem(5)
    stiff = Equation(
        problem.equation.memories,
        velocity=lambda s, theta, gradient, memories: -1e6 * gradient,
        mobility=lambda s, memories: np.full_like(memories[0], 1e6),
    )
    problem = Problem(stiff, problem.optimizer, problem.objective, problem.method)
    window = Window(State(0.0, np.array([1.0]), [np.array([0.0])]), np.array([5.0]), np.ones((1, 5, 1)))
    outcome = relax_window(problem, window, 1e-12, 10)
    assert outcome.converged
    assert outcome.sweeps <= 3
    # An L-stable method leaves about 1/(rate * length) of the initial value, and takes the rest of the way in
    # one step.
    assert np.abs(window.theta[0, -1]).max() < 1e-6


def test_an_element_whose_continuation_leads_nowhere_starts_from_a_constant(monkeypatch):
    def solved():
        return ide.solve(
            ide.models.Paper(), ide.Adam(0.9, 0.99), ide.Quadratic(4.0), alpha=0.1, theta0=1.0, steps=100
        )

    with_constants = March._continued
    monkeypatch.setattr(march, "CONTINUED", 0)
    constant = solved()

    def nowhere(self, window, at, length):
        path = with_constants(self, window, at, length)
        return path if self._last_element is None else np.full_like(path, np.nan)

    monkeypatch.setattr(March, "_continued", nowhere)
    found = solved()
    assert found.report.ok
    assert found.report.details["elements"] == constant.report.details["elements"]
    assert found.theta.tobytes() == constant.theta.tobytes()


def test_an_element_that_is_rounded_to_end_just_before_an_iteration_fills_its_row():
    """The horizon 300 of a march from 100: the lengths of its elements add up to the last number below it."""
    problem, method = decay_problem(5), radau(5)
    rows = SolutionRows(problem, np.array([np.exp(-1.0)]), np.arange(100, 301))
    nodes = np.concatenate(([0.0], method.nodes))
    s, length = 286.99311954936593, 13.006880450634014
    assert s + length < 300.0
    for begin, size in ((100.0, s - 100.0), (s, length)):
        values = np.exp(-0.01 * (begin + size * nodes))[:, None]
        rows.take(np.array([begin]), np.array([size]), values[None], [values[None] ** 2])
    assert np.isfinite(rows.theta).all()
    assert rows.theta[-1] == pytest.approx(np.exp(-3.0), rel=1e-12)
