"""Numbers computed from trajectories: errors, orders in the learning rate, and horizons of settled runs.

What lives here: functions of trajectories in memory.  What does not: files (:mod:`idescent.store`), drawing
(:mod:`idescent.drawing`).
"""
