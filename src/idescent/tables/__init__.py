"""Tables for people and programs: complete in Parquet and CSV, compact in Markdown and LaTeX.

One table, one file; what they share lies in :mod:`.files` and :mod:`.markup`.
"""
