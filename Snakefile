# Here for `snakemake` to find; what it runs lies where workflow catalogs and other workflows look for it.
include: "workflow/Snakefile"
