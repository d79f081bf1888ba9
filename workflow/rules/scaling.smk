# Errors over a ladder of learning rates: only for a study that asks for them.
if SCALING:
    MAPS = [stem for stem, group in LADDERS.items() if group[0] in SCALING["maps"]]

    rule scaling:
        input:
            f"{ROOT}/tables/errors.parquet",
        output:
            f"{SCALING_TABLE}.parquet",
            report(
                f"{SCALING_TABLE}.csv",
                caption="../report/scaling.rst",
                category="Tables",
                labels={"table": SCALING["name"]},
            ),
            f"{SCALING_TABLE}.md",
            f"{SCALING_TABLE}.tex",
        log:
            f"{LOGS}/scaling.log",
        localrule: True
        params:
            **job_file(SCALING, scaling_code()),
        message:
            "tabulate errors against the learning rate"
        shell:
            '"$IDESCENT_PYTHON" -m idescent job scaling {params.job:q} --log {log:q}'

    rule scaling_figure:
        input:
            f"{SCALING_TABLE}.parquet",
        output:
            f"{ROOT}/figures/{{ladder}}.pdf",
            report(
                f"{ROOT}/figures/{{ladder}}.svg",
                caption="../report/scaling_figure.rst",
                category="Errors",
                labels={"figure": "{ladder}"},
            ),
            f"{ROOT}/figures/{{ladder}}.png",
        log:
            f"{LOGS}/figures/{{ladder}}.log",
        wildcard_constraints:
            ladder=one_of([stem for stem in LADDERS if stem not in MAPS]),
        localrule: True
        params:
            **job_file(ladder_given, digest("scaling_figure")),
        message:
            "draw {wildcards.ladder}"
        shell:
            '"$IDESCENT_PYTHON" -m idescent job scaling-figure {params.job:q} --log {log:q}'

    rule scaling_map:
        input:
            f"{SCALING_TABLE}.parquet",
        output:
            f"{ROOT}/figures/{{ladder}}.pdf",
            report(
                f"{ROOT}/figures/{{ladder}}.svg",
                caption="../report/heatmap.rst",
                category="Errors",
                labels={"figure": "{ladder}"},
            ),
            f"{ROOT}/figures/{{ladder}}.png",
        log:
            f"{LOGS}/figures/{{ladder}}.log",
        wildcard_constraints:
            ladder=one_of(MAPS),
        localrule: True
        params:
            **job_file(ladder_given, digest("scaling_map")),
        message:
            "draw {wildcards.ladder}"
        shell:
            '"$IDESCENT_PYTHON" -m idescent job scaling-map {params.job:q} --log {log:q}'
