"""Discrete runs and solutions of all cells, from which everything else is made."""
