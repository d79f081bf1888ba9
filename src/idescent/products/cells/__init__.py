"""Discrete runs and solutions of all cells: the inputs of all other products."""
