"""Definition of a study: its cells, the values that a configuration allows, and the packs of cells.

What lives here: the grid, the names of its parts and the digests of their code.  What does not: tables,
figures and the report (:mod:`idescent.products`).
"""
