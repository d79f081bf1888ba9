# One solution of a pack of cells: one file a cell, and the list of them.
rule solve:
    output:
        f"{ROOT}/packs/{{objective}}/{{optimizer}}/{{pack}}/{{solution}}.json",
    log:
        f"{LOGS}/solve/{{objective}}/{{optimizer}}/{{pack}}/{{solution}}.log",
    priority: urgency
    params:
        **job_file(solve_job, solve_code),
    message:
        "solve {wildcards.objective} {wildcards.optimizer} {wildcards.pack} {wildcards.solution}"
    shell:
        '"$IDESCENT_PYTHON" -m idescent job solve {params.job:q} --log {log:q}'
