# Measurements on the cells; these jobs may run on other machines.
for item in session.of_sort("measure"):

    rule:
        name:
            item.name
        input:
            session.inputs(item),
        output:
            session.outputs(item, report),
        log:
            session.log(item),
        wildcard_constraints:
            **session.constraints(item),
        priority: session.priority(item)
        localrule: item.local
        params:
            **session.parameters(item),
        message:
            item.message
        shell:
            COMPUTE


# Tables, figures and the report take less time than a submission: these jobs run on Snakemake's own machine.
for item in session.of_sort("table", "figure", "report"):

    rule:
        name:
            item.name
        input:
            session.inputs(item),
        output:
            session.outputs(item, report),
        log:
            session.log(item),
        wildcard_constraints:
            **session.constraints(item),
        localrule: True
        params:
            **session.parameters(item),
        message:
            item.message
        shell:
            DRAW
