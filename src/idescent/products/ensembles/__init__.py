"""Ensembles of mini-batch runs and how well each model describes their mean: rows, table and figure."""
