"""What all figures share: style, colours and markers, files in every format; LaTeX and Markdown for tables.

What lives here: no figure of any one product (:mod:`idescent.products`).
"""
