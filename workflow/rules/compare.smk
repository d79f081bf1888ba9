rule compare:
    input:
        compare_input,
    output:
        f"{ROOT}/packs/{{objective}}/{{optimizer}}/{{pack}}/errors.parquet",
    log:
        f"{LOGS}/compare/{{objective}}/{{optimizer}}/{{pack}}.log",
    localrule: True
    params:
        code=digest("compare"),
    message:
        "compare {wildcards.objective} {wildcards.optimizer} {wildcards.pack}"
    shell:
        '"$IDESCENT_PYTHON" -m idescent job compare --code {params.code} --log {log:q} --output {output:q} --input {input:q}'
