"""The check of the configuration, the plan that all rules ask, and the patterns of the wildcards.

INPUTS: config.yaml
OUTPUTS: none; the rules of every other file of this folder take inputs, parameters and resources from `plan`
"""

from mmh.config.check import check_config
from mmh.plan.plan import Plan
from mmh.digest.kept import code_digest

try:
    config = check_config(config, config_files)
except InputError as error:
    raise WorkflowError(str(error)) from None

plan = Plan(config, workflow.get_rule)


wildcard_constraints:
    **plan.patterns.all(),
