"""Forecasts of long runs without simulating them: rows, table and figure."""
