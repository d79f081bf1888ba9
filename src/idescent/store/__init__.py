"""Everything on disk: files written whole or not at all, seals, columns, trajectories and tables in Parquet.

What lives here: the only code that reads and writes results.  What does not: which results a study has.
"""

DISCRETE = "discrete"
"""Name of the discrete run among the paths of a cell; those of solutions are the study's."""
