"""Errors over a ladder of learning rates: rows with fitted orders, tables, figures and maps."""
