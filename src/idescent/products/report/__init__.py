"""The report of a study: one page that holds its figures, tables, audit and an explorer of its trajectories.

What lives here: which cells the explorer shows (:mod:`.selection`), its data (:mod:`.explorer`), the sections
(:mod:`.tables`, :mod:`.claims`, :mod:`.figures`, :mod:`.facts`) and the page (:mod:`.page`); ``assets`` holds
templates, style and scripts.  What does not: any result; the page shows what earlier stages wrote.
"""
