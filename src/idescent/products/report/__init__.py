"""The report of a study: one page with its figures, tables, audit and an explorer of its trajectories.

What lives here: the choice of the explorer's cells (:mod:`.selection`) and its data (:mod:`.explorer`); the
content of the sections (:mod:`.tables`, :mod:`.claims`, :mod:`.figures`, :mod:`.facts`), in which tables are
plain data (:mod:`.content`); the two stages that collect the numbers (:mod:`.numbers`) and render the page
(:mod:`.page`); all HTML (:mod:`.templates`), style sheet and scripts (:mod:`.assets`).  What does not: any
computation of results.
"""
