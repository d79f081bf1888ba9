# The paper's statements, decided by the trajectories of a study that names a file of them.
if CLAIMS:

    rule claims:
        input:
            claims_input,
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
            **job_file(claims_given(), claims_code()),
        message:
            "decide the paper's claims"
        shell:
            '"$IDESCENT_PYTHON" -m idescent job claims {params.job:q} --log {log:q}'
