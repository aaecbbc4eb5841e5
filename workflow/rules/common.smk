"""The check of the configuration, the plan that all rules ask, and the patterns of the wildcards.

INPUTS: config.yaml, workflow/schemas/config.schema.json
OUTPUTS: none; the rules of every other file of this folder take inputs, parameters and resources from `plan`
"""

import json
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir, "workflow", "scripts")))

from mmh.config.check import check_config
from mmh.errors import InputError
from mmh.plan.plan import Plan
from mmh.digest.code import code_digest

try:
    check_config(
        config, json.loads(Path(workflow.basedir, "workflow", "schemas", "config.schema.json").read_text())
    )
except InputError as error:
    raise WorkflowError(str(error)) from None

plan = Plan(config, workflow.get_rule)


wildcard_constraints:
    **plan.patterns.all(),
