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
        **job_file({}, digest("tabulate")),
    message:
        "tabulate all errors"
    shell:
        '"$IDESCENT_PYTHON" -m idescent job tabulate {params.job:q} --log {log:q}'


rule summary:
    input:
        f"{ROOT}/tables/errors.csv",
    output:
        SUMMARY,
    log:
        f"{LOGS}/summary.log",
    localrule: True
    params:
        **job_file({"study": STUDY.name, "figures": STEMS}, digest("summary")),
    message:
        "summarise the study"
    shell:
        '"$IDESCENT_PYTHON" -m idescent job summary {params.job:q} --log {log:q}'
