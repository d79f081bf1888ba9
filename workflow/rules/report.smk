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
        content=json.dumps(numbers_content()),
        files=[STUDY.place(cell, name) for cell, name in EXPLORED],
        code=numbers_code(),
    message:
        "gather what the page says"
    shell:
        '"$IDESCENT_PYTHON" -m idescent job report-numbers --code {params.code} --log {log:q}'
        " --content {params.content:q} --output {output:q} --cells {params.files:q}"


rule report:
    input:
        [file for file in FIGURES + FORECAST if file.endswith((".svg", ".png"))],
        numbers=NUMBERS,
    output:
        REPORT,
    log:
        f"{LOGS}/report.log",
    localrule: True
    params:
        content=json.dumps(page_content()),
        code=digest("report"),
    message:
        "put everything on one page"
    shell:
        '"$IDESCENT_PYTHON" -m idescent job report --code {params.code} --log {log:q}'
        " --content {params.content:q} --output {output:q} --numbers {input.numbers:q}"
