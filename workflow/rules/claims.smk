# The paper's statements, decided by the trajectories of a study that names a file of them.
if CLAIMS:

    rule claims:
        input:
            claims=STUDY.claims,
            runs=STUDY.manifests(claimed()),
        output:
            report(
                f"{ROOT}/tables/claims.csv",
                caption="../report/claims.rst",
                category="Tables",
                labels={"table": "claims"},
            ),
            f"{ROOT}/tables/claims.md",
        log:
            f"{LOGS}/claims.log",
        localrule: True
        params:
            code=claims_code(),
            files=[STUDY.place(cell, name) for cell, name in claimed()],
        message:
            "decide the paper's claims"
        shell:
            '"$IDESCENT_PYTHON" -m idescent job claims --code {params.code} --log {log:q} --claims {input.claims:q}'
            " --output {output:q} --cells {params.files:q}"
