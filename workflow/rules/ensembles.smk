# Many mini-batch runs of a cell and what models expect of them, one job each: only for a study that asks for them.
if ENSEMBLES:

    rule ensemble:
        output:
            f"{ROOT}/ensembles/{{objective}}/{{optimizer}}/{{ensemble}}.parquet",
            f"{ROOT}/ensembles/{{objective}}/{{optimizer}}/{{ensemble}}.largest.parquet",
        log:
            f"{LOGS}/ensembles/{{objective}}/{{optimizer}}/{{ensemble}}.log",
        wildcard_constraints:
            ensemble=one_of(place.rpartition("/")[2] for place in ENSEMBLES),
        priority: LONG
        params:
            **job_file(ensemble_given, ensemble_code),
        message:
            "run {wildcards.objective} {wildcards.optimizer} {wildcards.ensemble}"
        shell:
            '"$IDESCENT_PYTHON" -m idescent job ensemble {params.job:q} --log {log:q}'

    rule ensembles:
        input:
            [f"{ROOT}/ensembles/{place}.largest.parquet" for place in ENSEMBLES],
        output:
            f"{ROOT}/tables/ensembles.parquet",
            report(
                f"{ROOT}/tables/ensembles.csv",
                caption="../report/ensembles.rst",
                category="Tables",
                labels={"table": "ensembles"},
            ),
            f"{ROOT}/tables/ensembles.md",
            f"{ROOT}/tables/ensembles.tex",
        log:
            f"{LOGS}/ensembles.log",
        localrule: True
        params:
            **job_file({}, digest("ensembles_table")),
        message:
            "tabulate how models tell the mean of mini-batch runs"
        shell:
            '"$IDESCENT_PYTHON" -m idescent job ensembles-table {params.job:q} --log {log:q}'

    rule ensembles_figure:
        input:
            crowd_input,
        output:
            f"{ROOT}/figures/{{crowd}}.pdf",
            report(
                f"{ROOT}/figures/{{crowd}}.svg",
                caption="../report/ensembles_figure.rst",
                category="Figures",
                labels={"figure": "{crowd}"},
            ),
            f"{ROOT}/figures/{{crowd}}.png",
        log:
            f"{LOGS}/figures/{{crowd}}.log",
        wildcard_constraints:
            crowd=one_of(CROWDS),
        localrule: True
        params:
            **job_file({}, digest("ensembles_figure")),
        message:
            "draw {wildcards.crowd}"
        shell:
            '"$IDESCENT_PYTHON" -m idescent job ensembles-figure {params.job:q} --log {log:q}'
