"""Numbers from trajectories: errors between two of them, orders over learning rates, when a run has settled.

What lives here: functions of trajectories already in memory.  What does not: files (:mod:`idescent.store`),
drawing.
"""
