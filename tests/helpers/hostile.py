"""Texts that break programs: what the tests of configurations try in every place that takes text."""

from __future__ import annotations

# Shown letter for letter, wherever they stand.
SHORT = (
    r"rate $\theta_{k}$",
    "{objective} {wildcards.figure} {0} {{ }",
    "100 % %s %(name)d",
    """"double" 'single' `touch pwned`""",
    "$(touch pwned); touch pwned & ${HOME} | cat",
    r"C:\new\table \\ \{ \begin{x} \n",
    "<script>alert(1)</script><b>&amp;</b> ]]> <!--",
    "one line\nanother line",
    "-rf --help",
    "=1+1",
    "äöüß ÆØÅ ΑΩαω Жяё –—… ∂ℝ",
    "*strong* _em_ |row| [a](b) ~x~ # .. note:: :role:`x`",
    "  around  ",
    "_label",
    "null",
    "~",
)
# As SHORT, but where it would have to be drawn.
BESIDE_ONLY = ("one\ttab", "漢字 日本", "🜲", r"$\notacommand$", "x" * 140_000)
# Refused wherever they stand.
FORBIDDEN = (
    "\x00",
    "\x07",
    "\x1b[31m",
    "\r",
    "\x7f",
    "\x85",
    "\u2028",
    "\u202e",
    "\u2066",
    "\ud800",
    "\uffff",
)
