"""Checks for all layers."""
