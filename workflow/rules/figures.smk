# Two rules for figures, because a rule's outputs are fixed: alone, and with the companion of errors.


rule figure:
    input:
        figure_input,
    output:
        f"{ROOT}/figures/{{figure}}.pdf",
        report(
            f"{ROOT}/figures/{{figure}}.svg",
            caption="../report/figure.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
        f"{ROOT}/figures/{{figure}}.png",
    log:
        f"{LOGS}/figures/{{figure}}.log",
    wildcard_constraints:
        figure=one_of(
            name for name, figure in STUDY.figures.items() if len(figure.stems) == 1
        ),
    localrule: True
    params:
        **job_file(figure_given, figure_code),
        caption=figure_caption,
    message:
        "draw {wildcards.figure}"
    shell:
        '"$IDESCENT_PYTHON" -m idescent job render {params.job:q} --log {log:q}'


rule figure_with_errors:
    input:
        figure_input,
    output:
        f"{ROOT}/figures/{{figure}}.pdf",
        report(
            f"{ROOT}/figures/{{figure}}.svg",
            caption="../report/figure.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
        f"{ROOT}/figures/{{figure}}.png",
        f"{ROOT}/figures/{{figure}}_errors.pdf",
        report(
            f"{ROOT}/figures/{{figure}}_errors.svg",
            caption="../report/figure_errors.rst",
            category="Errors",
            labels={"figure": "{figure}_errors"},
        ),
        f"{ROOT}/figures/{{figure}}_errors.png",
    log:
        f"{LOGS}/figures/{{figure}}.log",
    wildcard_constraints:
        figure=one_of(
            name for name, figure in STUDY.figures.items() if len(figure.stems) == 2
        ),
    localrule: True
    params:
        **job_file(figure_given, figure_code),
        caption=figure_caption,
    message:
        "draw {wildcards.figure} and its errors"
    shell:
        '"$IDESCENT_PYTHON" -m idescent job render {params.job:q} --log {log:q}'


# From the parts and not from the table of all errors, which is written meanwhile.
rule overview:
    input:
        ERRORS,
    output:
        f"{ROOT}/figures/{{overview}}.pdf",
        report(
            f"{ROOT}/figures/{{overview}}.svg",
            caption="../report/overview.rst",
            category="Errors",
            labels={"figure": "{overview}"},
        ),
        f"{ROOT}/figures/{{overview}}.png",
    log:
        f"{LOGS}/figures/{{overview}}.log",
    wildcard_constraints:
        overview=one_of(OVERVIEWS),
    localrule: True
    params:
        **job_file({}, digest("overview")),
    message:
        "draw {wildcards.overview}"
    shell:
        '"$IDESCENT_PYTHON" -m idescent job overview {params.job:q} --log {log:q}'
