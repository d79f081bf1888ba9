# `snakemake` looks for this file; workflow catalogs and other workflows look for workflow/Snakefile.
include: "workflow/Snakefile"


# The first rule of an included file is no default target: without this line, no rule would run.
workflow.default_target = "all"
