"""Stochastic gradients: seeded runs, stochastic differential equations, and weak errors between them."""
