# Objects that all rules use.  The session provides inputs, outputs and parameters of every rule.
from idescent.jobs.session import Session

session = Session(config, workflow)

# Command of every job; its JSON file describes the work.  A shared process imports the libraries of its jobs once: one for
# runs, solutions and measurements, one for tables, figures and the report.
RUN = '"$IDESCENT_PYTHON" -m idescent.jobs.client {params.job:q} --log {log:q} --shared'
COMPUTE, DRAW = f"{RUN} computing", f"{RUN} drawing"


wildcard_constraints:
    objective=r"[A-Za-z0-9_-]+",
    optimizer=r"[A-Za-z0-9_.]+",
    pack=r"[^/]+",
