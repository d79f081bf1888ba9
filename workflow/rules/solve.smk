# One solution of a pack of cells: one file a cell, and the list of them.
rule solve:
    output:
        f"{ROOT}/packs/{{objective}}/{{optimizer}}/{{pack}}/{{solution}}.json",
    log:
        f"{LOGS}/solve/{{objective}}/{{optimizer}}/{{pack}}/{{solution}}.log",
    priority: urgency
    params:
        pack=solve_json,
        code=solve_code,
        plan=PLAN,
    message:
        "solve {wildcards.objective} {wildcards.optimizer} {wildcards.pack} {wildcards.solution}"
    shell:
        '"$IDESCENT_PYTHON" -m idescent job solve --pack {params.pack:q} --code {params.code}'
        " --plan {params.plan:q} --log {log:q} --output {output:q}"
