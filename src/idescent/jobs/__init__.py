"""The jobs of the workflow, and what Snakemake must be told or kept from."""
