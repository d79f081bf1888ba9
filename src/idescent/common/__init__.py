"""Checks that every layer shares."""
