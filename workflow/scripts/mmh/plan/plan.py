"""The plan of the workflow: everything that a rule asks of the configuration. Standard library only.

The Snakefile makes one `Plan`. A rule takes what it needs from one of its groups, as a function of the job's
wildcards: ``plan.images.files`` stands in ``mmh/plan/inputs/images.py``, and so on.
"""

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from mmh.digest.kept import code_digest
from mmh.digest.reach import Root
from mmh.plan import cost
from mmh.plan.experiment import Config
from mmh.plan.inputs.answers import Answers
from mmh.plan.inputs.attribution import Attribution
from mmh.plan.inputs.base import Wildcards
from mmh.plan.inputs.evaluation import Evaluation
from mmh.plan.inputs.figures import Figures
from mmh.plan.inputs.image_sets import ImageSets
from mmh.plan.inputs.images import Images
from mmh.plan.inputs.labels import Labels
from mmh.plan.inputs.laws import Landscape, Laws
from mmh.plan.inputs.mitigation import Elicitation, Mitigation, Optimisation, Rewriting
from mmh.plan.inputs.models import Models, early
from mmh.plan.inputs.prompts import Prompts
from mmh.plan.inputs.run import Run
from mmh.plan.inputs.scores import Scores
from mmh.plan.inputs.sources import Sources
from mmh.plan.patterns import Patterns


class Plan:
    """Inputs, parameters and resources of every job.

    Parameters
    ----------
    config : mapping
        The checked configuration.
    get_rule : callable, optional
        Snakemake's rule of a name, to know whether a profile gives it a GPU.

    Attributes
    ----------
    patterns : Patterns
        Of the wildcards.
    sources, models, image_sets, images, scores, labels, prompts, attribution, mitigation, elicitation,
    optimisation, rewriting, evaluation, answers, laws, landscape, figures, run
        Functions of the wildcards, by what they are about.
    untracked : SimpleNamespace
        Where plug-ins lie: no change of this reruns a job, the digest of their code does.
    compute : dict
        A job's threads: they are part of its bytes, so as a parameter a change of them reruns the job
        (``mmh.job.frame`` checks them).
    """

    def __init__(self, config: Config, get_rule: Callable[[str], Any] | None = None) -> None:
        self.config, self._get_rule = config, get_rule
        self.patterns = Patterns(config)
        self.sources = Sources(config)
        self.models = Models(config)
        self.image_sets = ImageSets(config)
        self.images = Images(config)
        self.scores = Scores(config)
        self.labels = Labels(config)
        self.prompts = Prompts(config)
        self.attribution = Attribution(config)
        self.mitigation = Mitigation(config)
        self.elicitation = Elicitation(config)
        self.optimisation = Optimisation(config)
        self.rewriting = Rewriting(config)
        self.evaluation = Evaluation(config)
        self.answers = Answers(config)
        self.laws = Laws(config)
        self.landscape = Landscape(config)
        self.figures = Figures(config)
        self.run = Run(config)
        self.compute = {"threads": config["threads"]}
        self.untracked = SimpleNamespace(plugins=config.get("plugins", []))

    def code(self, script: str, *called: Callable[[Wildcards], list[Root]]) -> Callable[[Wildcards], str]:
        """Params function: the digest of a script's code and of what a job of it calls by name."""

        def code(wildcards: Wildcards) -> str:
            return code_digest(script, *(root for roots in called for root in roots(wildcards)))

        return code

    def memory(self, wildcards: Wildcards, rulename: str, attempt: int) -> int:
        """Memory of a job, MB."""
        return cost.memory(self._need(wildcards, rulename), attempt)

    def runtime(self, wildcards: Wildcards, rulename: str, attempt: int) -> int:
        """Time of a job, minutes."""
        return cost.runtime(self._need(wildcards, rulename), attempt)

    def early(self, wildcards: Wildcards) -> int:
        """Priority of the steps to a first figure: above trainings, where a model takes seconds to train."""
        return early(self.models.experiment(wildcards))

    def longest_first(self, rulename: str) -> Callable[[Wildcards], int]:
        """Priority function of a long step: its seconds, so that none is left for the end of a run."""

        def seconds(wildcards: Wildcards) -> int:
            return math.ceil(cost.need(self.config, rulename, dict(wildcards.items()), gpu=False).seconds)

        return seconds

    def _need(self, wildcards: Wildcards, rulename: str) -> cost.Need:
        """What the cost model expects of a job, on a GPU if the profile gives its rule a number of them."""
        gpu = self._get_rule(rulename).resources.get("gpu") if self._get_rule else None
        given = gpu is not None and not gpu.is_evaluable() and int(gpu.value or 0) > 0
        return cost.need(self.config, rulename, dict(wildcards.items()), gpu=given)
