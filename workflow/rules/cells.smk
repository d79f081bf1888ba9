# Discrete runs and solutions: one job for each pack of cells; one file for each cell, and a manifest of the pack.
for item in session.of_sort("simulate", "solve"):

    rule:
        name:
            item.name
        output:
            session.outputs(item, report),
        log:
            session.log(item),
        wildcard_constraints:
            **session.constraints(item),
        priority: session.priority(item)
        params:
            **session.parameters(item),
        message:
            item.message
        shell:
            COMPUTE
