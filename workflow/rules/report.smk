# Everything that the study has to show, on one page.
rule report:
    input:
        STUDY.manifests(EXPLORED),
        f"{ROOT}/tables/errors.parquet",
        [file for file in FIGURES if not file.endswith(".pdf")],
        CLAIM_TABLES,
        [
            file
            for file in SCALING_TABLES + FIDELITY_TABLES + ENSEMBLE_TABLES + FORECAST
            if file.endswith((".csv", ".svg"))
        ],
    output:
        REPORT,
    log:
        f"{LOGS}/report.log",
    localrule: True
    params:
        content=json.dumps(report_content()),
        files=[STUDY.place(cell, name) for cell, name in EXPLORED],
        code=report_code(),
    message:
        "put everything on one page"
    shell:
        '"$IDESCENT_PYTHON" -m idescent job report --code {params.code} --log {log:q}'
        " --content {params.content:q} --output {output:q} --cells {params.files:q}"
