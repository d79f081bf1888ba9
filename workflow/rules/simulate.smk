# A pack of discrete runs: one file a cell, and the list of them.
rule simulate:
    output:
        f"{ROOT}/packs/{{objective}}/{{optimizer}}/{{pack}}/discrete.json",
    log:
        f"{LOGS}/simulate/{{objective}}/{{optimizer}}/{{pack}}.log",
    priority: urgency
    params:
        **job_file(simulate_job, simulate_code),
    message:
        "simulate {wildcards.objective} {wildcards.optimizer} {wildcards.pack}"
    shell:
        '"$IDESCENT_PYTHON" -m idescent job simulate {params.job:q} --log {log:q}'
