rule tables:
    input:
        ERRORS,
    output:
        f"{ROOT}/tables/errors.parquet",
        report(
            f"{ROOT}/tables/errors.csv",
            caption="../report/table.rst",
            category="Tables",
            labels={"table": "errors"},
        ),
        f"{ROOT}/tables/errors.md",
        f"{ROOT}/tables/errors.tex",
    log:
        f"{LOGS}/tables.log",
    localrule: True
    params:
        code=digest("tabulate"),
    message:
        "tabulate all errors"
    shell:
        '"$IDESCENT_PYTHON" -m idescent job tabulate --code {params.code} --log {log:q} --output {output:q} --input {input:q}'


rule summary:
    input:
        f"{ROOT}/tables/errors.csv",
    output:
        SUMMARY,
    log:
        f"{LOGS}/summary.log",
    localrule: True
    params:
        study=STUDY.name,
        figures=STEMS,
        code=digest("summary"),
    message:
        "summarise the study"
    shell:
        '"$IDESCENT_PYTHON" -m idescent job summary --code {params.code} --log {log:q} --study {params.study}'
        " --table {input:q} --output {output:q} --figures {params.figures}"
