"""Audit of the paper's statements: measure each claim, and compare the number with a threshold.

What lives here: the schema of claims (:mod:`.statements`), measures (:mod:`.measures`), verdicts
(:mod:`.audit`) and tables (:mod:`.table`).  What does not: the claims, which are data
(``config/claims.yaml``).
"""
