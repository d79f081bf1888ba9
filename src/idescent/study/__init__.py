"""What a study is: its cells, the values that a configuration may hold, how cells are grouped into jobs.

What lives here: the grid and what names it.  What does not: what a study shows (:mod:`idescent.products`).
"""
