"""Figures of paths over the iterations, as the paper has them, and their companions of errors."""
