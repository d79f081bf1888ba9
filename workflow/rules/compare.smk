rule compare:
    input:
        compare_input,
    output:
        f"{ROOT}/packs/{{objective}}/{{optimizer}}/{{pack}}/errors.parquet",
    log:
        f"{LOGS}/compare/{{objective}}/{{optimizer}}/{{pack}}.log",
    localrule: True
    params:
        **job_file({}, digest("compare")),
    message:
        "compare {wildcards.objective} {wildcards.optimizer} {wildcards.pack}"
    shell:
        '"$IDESCENT_PYTHON" -m idescent job compare {params.job:q} --log {log:q}'
