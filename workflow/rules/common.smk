# Objects that all rules use.  The session provides inputs, outputs and parameters of every rule.
from idescent.jobs.session import Session

session = Session(config, workflow)

# Command of every job; its JSON file describes the work.
RUN = '"$IDESCENT_PYTHON" -m idescent job {params.job:q} --log {log:q}'

# Tables, figures and the report share a process, which imports their libraries once.
RUN_SHARED = f"{RUN} --shared"


wildcard_constraints:
    objective=r"[A-Za-z0-9_-]+",
    optimizer=r"[A-Za-z0-9_.]+",
    pack=r"[^/]+",
