"""Hyper-parameters as text: letters, words, digits."""

import pytest

from idescent.drawing import hyperparameters, style
from idescent.drawing.markup import escaped


@pytest.mark.parametrize(
    ("name", "letter", "tex"),
    [
        ("beta1", "β₁", r"$\beta_1$"),
        ("psi", "ψ", r"$\psi$"),
        ("nu12", "ν₁₂", r"$\nu_{12}$"),
        ("eps", "ε", r"$\varepsilon$"),
        ("lambda", "λ", r"$\lambda$"),
        ("weight_decay", "weight decay", "weight decay"),
        ("momentum", "momentum", "momentum"),
        ("k0", "k0", "k0"),
        ("Beta", "Beta", "Beta"),
    ],
)
def test_a_greek_name_is_its_letter_and_another_name_is_words(name, letter, tex):
    assert hyperparameters.letter(name) == letter
    assert hyperparameters.tex(letter) == escaped(letter) == tex


def test_every_hyperparameter_is_in_the_label_of_a_figure_and_in_the_column_of_a_table():
    arguments = {"beta1": 0.9, "beta2": 0.99, "weight_decay": 0.1, "psi": 0.004, "accumulator": "norm"}
    label = style.configuration({"class": "mine:NAdam", "arguments": arguments})
    assert label == (
        r"NAdam, $\beta_1$ = 0.9, $\beta_2$ = 0.99, weight decay 0.1, $\psi$ = 0.004, accumulator norm"
    )
    assert hyperparameters.short(arguments) == "0.9, 0.99, decay 0.1, ψ = 0.004, accumulator = norm"


def test_values_that_differ_in_the_seventh_digit_have_different_texts():
    assert [hyperparameters.number(value) for value in (0.9999999, 1.0, 1e-8, True)] == [
        *("0.9999999", "1", "1e-08", "True")
    ]
