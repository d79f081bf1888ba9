"""An audit of the paper's statements: what they claim, in numbers, and whether it is so.

What lives here: the statements' form (:mod:`.spec`), the measures that decide them (:mod:`.measures`), the
verdicts (:mod:`.audit`) and the tables of them (:mod:`.table`).  What does not: the statements, which are
data (``config/claims.yaml``).
"""
