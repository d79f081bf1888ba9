# What the rules share.  Everything that a rule says of a study comes from the session.
from idescent.jobs.session import Session

session = Session(config, workflow)

# How every job is run: its file says what it does.
RUN = '"$IDESCENT_PYTHON" -m idescent job {params.job:q} --log {log:q}'

# Tables, figures and the report share a process, which imports their libraries once.
RUN_SHARED = f"{RUN} --shared"


wildcard_constraints:
    objective=r"[A-Za-z0-9_-]+",
    optimizer=r"[A-Za-z0-9_.]+",
    pack=r"[^/]+",
