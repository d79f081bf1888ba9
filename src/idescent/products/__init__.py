"""Products of a study: one folder for each, with its keys, rows, tables and figures.

What does not live here: the computation of discrete runs and solutions (:mod:`idescent.jobs`).
"""
