"""Errors of every solution against its discrete run: rows, tables, overviews, and the summary of a study."""
