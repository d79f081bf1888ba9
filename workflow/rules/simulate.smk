# A pack of discrete runs: one file a cell, and the list of them.
rule simulate:
    output:
        f"{ROOT}/packs/{{objective}}/{{optimizer}}/{{pack}}/discrete.json",
    log:
        f"{LOGS}/simulate/{{objective}}/{{optimizer}}/{{pack}}.log",
    priority: urgency
    params:
        pack=simulate_json,
        code=simulate_code,
        plan=PLAN,
    message:
        "simulate {wildcards.objective} {wildcards.optimizer} {wildcards.pack}"
    shell:
        '"$IDESCENT_PYTHON" -m idescent job simulate --pack {params.pack:q} --code {params.code}'
        " --plan {params.plan:q} --log {log:q} --output {output:q}"
