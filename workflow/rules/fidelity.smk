# How long each model holds: only for a study that asks for it.
if FIDELITY:

    rule fidelity_pack:
        input:
            compare_input,
        output:
            f"{ROOT}/packs/{{objective}}/{{optimizer}}/{{pack}}/fidelity.parquet",
        log:
            f"{LOGS}/fidelity/{{objective}}/{{optimizer}}/{{pack}}.log",
        params:
            **job_file(fidelity_given, fidelity_code),
        message:
            "tell how long models hold: {wildcards.objective} {wildcards.optimizer} {wildcards.pack}"
        shell:
            '"$IDESCENT_PYTHON" -m idescent job fidelity {params.job:q} --log {log:q}'

    rule fidelity:
        input:
            [STUDY.fidelity_of(pack) for pack in STUDY.packs],
        output:
            f"{ROOT}/tables/fidelity.parquet",
            report(
                f"{ROOT}/tables/fidelity.csv",
                caption="../report/fidelity.rst",
                category="Tables",
                labels={"table": "fidelity"},
            ),
            f"{ROOT}/tables/fidelity.md",
            f"{ROOT}/tables/fidelity.tex",
        log:
            f"{LOGS}/fidelity.log",
        localrule: True
        params:
            **job_file({}, digest("fidelity_table")),
        message:
            "tabulate how long models hold"
        shell:
            '"$IDESCENT_PYTHON" -m idescent job fidelity-table {params.job:q} --log {log:q}'

    rule fidelity_figure:
        input:
            curves_input,
        output:
            f"{ROOT}/figures/{{curves}}.pdf",
            report(
                f"{ROOT}/figures/{{curves}}.svg",
                caption="../report/fidelity_figure.rst",
                category="Figures",
                labels={"figure": "{curves}"},
            ),
            f"{ROOT}/figures/{{curves}}.png",
        log:
            f"{LOGS}/figures/{{curves}}.log",
        wildcard_constraints:
            curves=one_of(CURVES),
        localrule: True
        params:
            **job_file(curves_given, curves_code),
        message:
            "draw {wildcards.curves}"
        shell:
            '"$IDESCENT_PYTHON" -m idescent job fidelity-figure {params.job:q} --log {log:q}'
