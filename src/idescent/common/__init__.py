"""Checks of numbers and of memory that every layer shares."""
