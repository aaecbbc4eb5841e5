"""Manifold memorization hypothesis: from data to figures. `snakemake --list-rules` shows every step."""

from snakemake.utils import min_version

min_version("9.27")  # priorities by experiment


include: "workflow/rules/reading.smk"


configfile: "config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/image_sets.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/samples.smk"
include: "workflow/rules/retrieval.smk"
include: "workflow/rules/labels.smk"
include: "workflow/rules/scores.smk"
include: "workflow/rules/text_to_image.smk"
include: "workflow/rules/attribution.smk"
include: "workflow/rules/elicitation.smk"
include: "workflow/rules/optimisation.smk"
include: "workflow/rules/rewriting.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/answers.smk"
include: "workflow/rules/copies.smk"
include: "workflow/rules/manifolds.smk"
include: "workflow/rules/landscape.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"


rule all:
    """Make everything that the experiments under `run` ask for."""
    default_target: True
    input:
        plan.run.targets(),
