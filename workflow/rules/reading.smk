"""The files of the configuration, read before Snakemake reads them: it names no line of what it cannot read.

INPUTS: config.yaml, files given by --configfile
OUTPUTS: none; common.smk asks `config_files` for the file and the line of a mistake
"""

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(str(workflow.current_basedir), "..", "scripts").resolve()))

from mmh.config.files import ConfigFiles
from mmh.config.machine import quote_interpreter, settle
from mmh.errors import InputError

try:
    quote_interpreter()
    settle(Path.cwd())
    config_files = ConfigFiles.of_workflow("config.yaml", workflow.config_settings)
except InputError as error:
    raise WorkflowError(str(error)) from None
