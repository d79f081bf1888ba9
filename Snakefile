# Here for `snakemake` to find; what it runs lies where workflow catalogs and other workflows look for it.
include: "workflow/Snakefile"


# The target of an included file is no default: without this line, nothing would be made.
workflow.default_target = "all"
