"""Files on disk: atomic writing, checksums, and trajectories and tables in Parquet.

What lives here: the only code that reads and writes results.  What does not: the list of a study's results
(:mod:`idescent.study`).
"""

DISCRETE = "discrete"
"""Name of the discrete run among the paths of a cell.  The study names the solutions."""
