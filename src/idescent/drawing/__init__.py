"""Tools that all figures and tables share: style, colours, markers, output files, LaTeX and Markdown text.

What does not live here: the figures and tables of the products (:mod:`idescent.products`).
"""
