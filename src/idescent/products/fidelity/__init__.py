"""Iterations for which each model's prediction holds: rows, table and loss curves."""
