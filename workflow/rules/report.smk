# Everything that the study has to show, on one page.  What it says of tables and trajectories is made while figures are drawn.
rule report_numbers:
    input:
        STUDY.manifests(EXPLORED),
        f"{ROOT}/tables/errors.parquet",
        CLAIM_TABLES,
        [
            file
            for file in SCALING_TABLES + FIDELITY_TABLES + ENSEMBLE_TABLES + FORECAST
            if file.endswith(".csv")
        ],
    output:
        NUMBERS,
    log:
        f"{LOGS}/report_numbers.log",
    localrule: True
    params:
        **job_file(numbers_given(), numbers_code()),
    message:
        "gather what the page says"
    shell:
        '"$IDESCENT_PYTHON" -m idescent job report-numbers {params.job:q} --log {log:q}'


rule report:
    input:
        NUMBERS,
        [file for file in FIGURES + FORECAST if file.endswith((".svg", ".png"))],
    output:
        REPORT,
    log:
        f"{LOGS}/report.log",
    localrule: True
    params:
        **job_file(page_given(), digest("report")),
    message:
        "put everything on one page"
    shell:
        '"$IDESCENT_PYTHON" -m idescent job report {params.job:q} --log {log:q}'
