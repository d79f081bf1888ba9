"""Errors of all solutions of a study, measured against the discrete runs: rows, tables and dot plots."""
