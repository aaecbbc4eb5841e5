"""The frame around the work of every job, which moves no number."""

from mmh.digest.modules import Definition
from mmh.digest.scopes import with_parents

# Modules, packages or single names, and why an edit of each leaves all outputs as they are.
FRAME = {
    "mmh.job": "opens the log, takes claims, shows progress, keeps finished blocks, puts outputs in place",
    "mmh.provenance": "says in run records which code and which versions made a file",
    "mmh.digest": "tells which code a job runs",
    "mmh.compute.shown": "writes results on a screen",
    "mmh.lazy": "imports what a package gives when it is asked for",
    "mmh.rows.Table": "gives the row of a name, and the rule of the job states that row as a root",
    "mmh.rows.load_plugin": "imports a plug-in, and the rule of the job states its row as a root",
    "mmh.rows.load_plugins": "imports plug-ins, and the rule of the job states their rows as roots",
    "mmh.rows._imported": "imports a plug-in for the two above",
    "mmh.rows._added": "takes up the rows of a plug-in for the two above",
    "mmh.io.partial": "gives temporary names, and says whose they are",
    "mmh.io.files.atomic": "gives temporary names",
    "mmh.io.files.write_json": "lays out records",
}

# What counts all the same: it puts numbers where they belong.
COUNTED = {"mmh.job.chunks.blockwise", "mmh.job.chunks._put"}

# Functions that read texts of caught errors, and why no text of this project reaches an output thereby.
DEAF = {
    "mmh.fetch.hub.fetch_pipeline": "the errors are those of the hub, and end in another error",
    "mmh.fetch.image_policy.decode": "the errors are those of the decoder",
    "mmh.labels.label_files.read_label_files": "the errors are joined to one",
}

# Modules whose errors end the job, whatever else in it listens to errors.
FATAL = {"mmh.io.files", "mmh.io.table_files", "mmh.io.spans"}


def is_frame(definition: Definition) -> bool:
    """Whether a definition is part of the frame."""
    name = definition.name.partition(".")[0]
    if f"{definition.module.name}.{name}" in COUNTED:
        return False
    return any(one in FRAME for one in with_parents(f"{definition.module.name}.{name}"))
