# Long runs predicted instead of made: only for a study that asks for them.
if STUDY.forecast:

    rule forecast:
        output:
            report(
                f"{ROOT}/tables/forecast.csv",
                caption="../report/forecast.rst",
                category="Tables",
                labels={"table": "forecast"},
            ),
            f"{ROOT}/figures/forecast.pdf",
            report(
                f"{ROOT}/figures/forecast.svg",
                caption="../report/forecast.rst",
                category="Errors",
                labels={"figure": "forecast"},
            ),
            f"{ROOT}/figures/forecast.png",
        log:
            f"{LOGS}/forecast.log",
        priority: LONG
        params:
            **job_file(STUDY.forecast, digest("forecast")),
        message:
            "predict long runs"
        shell:
            '"$IDESCENT_PYTHON" -m idescent job forecast {params.job:q} --log {log:q}'
