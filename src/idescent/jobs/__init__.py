"""The jobs of the workflow, and the session, which connects them to Snakemake."""
