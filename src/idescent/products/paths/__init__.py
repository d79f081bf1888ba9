"""Figures of paths over the iterations, as in the paper, and their companions with the errors."""
