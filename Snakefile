# The workflow of a study: config -> simulate, solve -> compare -> tables, figures -> summary.
#
#   snakemake --cores all                                    the paper (config/config.yaml)
#   snakemake --cores all --configfile config/smoke.yaml     another study
from snakemake.utils import min_version

min_version("9.10")

# A study of one's own replaces the paper; merged into it, the paper's objectives and figures would run as well.
if not workflow.overwrite_configfiles:

    configfile: "config/config.yaml"


# Jobs run in the environment that runs Snakemake; the image is for those who ask for one with --sdm apptainer.
container: "docker://debian:bookworm"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/simulate.smk"
include: "workflow/rules/solve.smk"
include: "workflow/rules/compare.smk"
include: "workflow/rules/scaling.smk"
include: "workflow/rules/forecast.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/claims.smk"


rule all:
    default_target: True
    input:
        MANIFESTS,
        TABLES,
        FIGURES,
        CLAIM_TABLES,
        SCALING_TABLES,
        FORECAST,
        SUMMARY,


onstart:
    write_plan()


onsuccess:
    show_summary()
