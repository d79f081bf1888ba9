"""What a study shows: one folder for each product, with its keys, rows, tables and figures.

What lives here: see the folders.  What does not: how a discrete run or a solution is computed.
"""
