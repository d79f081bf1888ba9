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
            ensemble=ensemble_json,
            code=ensemble_code,
        message:
            "run {wildcards.objective} {wildcards.optimizer} {wildcards.ensemble}"
        shell:
            '"$IDESCENT_PYTHON" -m idescent job ensemble --code {params.code} --log {log:q}'
            " --ensemble {params.ensemble:q} --output {output:q}"

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
            code=digest("ensembles_table"),
        message:
            "tabulate how models tell the mean of mini-batch runs"
        shell:
            '"$IDESCENT_PYTHON" -m idescent job ensembles-table --code {params.code} --log {log:q}'
            " --output {output:q} --input {input:q}"

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
            code=digest("ensembles_figure"),
        message:
            "draw {wildcards.crowd}"
        shell:
            '"$IDESCENT_PYTHON" -m idescent job ensembles-figure --code {params.code} --log {log:q}'
            " --output {output:q} --input {input:q}"
