"""Generations with mitigations, or of rewritten prompts: how they are sampled and compared."""

from collections.abc import Mapping
from typing import Any

from mmh.choices.base import CHOICES, WordChoice, made
from mmh.digest.reach import Root
from mmh.elicited.options import ElicitationPlan, first_prompts
from mmh.io.spans import span_name
from mmh.metrics.base import METRICS
from mmh.mitigated.options import reference
from mmh.mitigations.base import MITIGATIONS
from mmh.options.base import Options
from mmh.plan.inputs.base import Inputs, Wildcards, chosen
from mmh.rewriters.base import REWRITERS
from mmh.rewriting.options import reference as reference_choice
from mmh.rows import Row, Table, root_of


class Mitigation(Inputs):
    """What stands under ``mitigation``."""

    def method(self, wildcards: Wildcards) -> str:
        """Method of a mitigation."""
        return str(self._section(wildcards)["mitigations"][wildcards.mitigation]["method"])

    def options(self, wildcards: Wildcards) -> dict[str, Any]:
        """Options of its method, defaults filled in."""
        block = dict(self._section(wildcards)["mitigations"][wildcards.mitigation])
        options = MITIGATIONS[block.pop("method")].Options.model_validate(block)
        return options.model_dump(mode="json")

    def sampling(self, wildcards: Wildcards) -> dict[str, Any]:
        """How prompts are sampled: as without mitigations, but for the section's own keys."""
        experiment = self.experiment(wildcards)
        own = chosen(self._section(wildcards), "generations", "batch_size")
        shared = chosen(experiment.entry["prompts"], "steps", "guidance")
        decoded = experiment.entry["latents"]["batch_size"]
        return {**own, **shared, "decode_batch_size": decoded, **experiment.loading}

    def changed_by(self, wildcards: Wildcards) -> list[Root]:
        """Code of a mitigation."""
        return [root_of(MITIGATIONS[self.method(wildcards)])]

    def generations(self, wildcards: Wildcards) -> list[str]:
        """Generations with all mitigations."""
        return self.experiment(wildcards).mitigated_files

    def clip(self, wildcards: Wildcards) -> str | list[str]:
        """The CLIP model that compares images and prompts, where the experiment has one."""
        experiment = self.experiment(wildcards)
        return f"{experiment.folder}/clip" if experiment.entry.get("clip") else []

    def comparing(self, wildcards: Wildcards) -> dict[str, Any]:
        """What counts as a copy, which prompts are for tuning, and what mitigations are compared with."""
        section = self._section(wildcards)
        return {
            **chosen(section, "copy_similarity", "tune"),
            **chosen(self.experiment(wildcards).entry["prompts"], "preprocess", "batch_size"),
            "reference": reference(section),
        }

    def _section(self, wildcards: Wildcards) -> dict[str, Any]:
        section: dict[str, Any] = self.experiment(wildcards).entry["mitigation"]
        return section


class Elicitation(Inputs):
    """What stands under ``re_elicitation``."""

    def attacking(self, wildcards: Wildcards) -> dict[str, Any]:
        """How prompts are attacked, and sampled: as by `mitigation`, but for the section's own keys."""
        experiment = self.experiment(wildcards)
        own = ElicitationPlan.model_validate(self._section(wildcards)).model_dump(mode="json")
        keys = ("budgets", "learning_rate", "draws", "generations", "batch_size")
        entry = experiment.entry["prompts"]
        decoded = {"decode_batch_size": experiment.entry["latents"]["batch_size"]}
        compared = {"embedding": chosen(entry, "preprocess", "batch_size")}
        return {
            **chosen(own, *keys),
            **chosen(entry, "steps", "guidance"),
            **decoded,
            **compared,
            **experiment.loading,
        }

    def images(self, wildcards: Wildcards) -> list[str]:
        """Images of all attacked prompts, by mitigation and set in the order of the configuration."""
        experiment, section = self.experiment(wildcards), self._section(wildcards)
        tune, size = int(experiment.entry["mitigation"].get("tune", 0)), int(section["shard_size"])
        return [
            f"{experiment.folder}/elicited/{name}/{prompts}/{span_name(part.start, part.stop)}.npz"
            for name in section["mitigations"]
            for prompts, n in section["sets"].items()
            for part in first_prompts(tune, int(n), size)
        ]

    def comparing(self, wildcards: Wildcards) -> dict[str, Any]:
        """What counts as back, and what as chance."""
        experiment = self.experiment(wildcards)
        own = ElicitationPlan.model_validate(self._section(wildcards)).model_dump(mode="json")
        return {
            **chosen(own, "control", "percentile", "least_excess", "most_chance"),
            **chosen(experiment.entry["prompts"], "preprocess", "batch_size"),
            "reference": reference(experiment.entry["mitigation"]),
        }

    def _section(self, wildcards: Wildcards) -> dict[str, Any]:
        section: dict[str, Any] = self.experiment(wildcards).entry["re_elicitation"]
        return section


class Optimisation(Inputs):
    """What stands under ``optimisation``."""

    def options(self, wildcards: Wildcards) -> dict[str, Any]:
        """Options of the method of a descent, with as many iterations as are asked for."""
        block = self._block(wildcards) | {"iterations": self._section(wildcards)["at"][-1]}
        return _options(MITIGATIONS, block).model_dump(mode="json")

    def method(self, wildcards: Wildcards) -> str:
        """Method of a descent."""
        return str(self._block(wildcards)["method"])

    def changed_by(self, wildcards: Wildcards) -> list[Root]:
        """Code of a descent, and of the metric that is taken beside it."""
        return [root_of(MITIGATIONS[self.method(wildcards)]), root_of(METRICS["flipd"])]

    def sampling(self, wildcards: Wildcards) -> dict[str, Any]:
        """How prompts are sampled: as others, but for the section's own keys."""
        experiment = self.experiment(wildcards)
        prompts = experiment.entry["prompts"]
        own = chosen(self._section(wildcards), "at", "generations", "batch_size")
        metric = METRICS["flipd"].Options.model_validate(chosen(prompts, *METRICS["flipd"].shared))
        shared = {**chosen(prompts, "steps", "guidance"), "metric": metric.model_dump(mode="json")}
        decoded = experiment.entry["latents"]["batch_size"]
        return {**own, **shared, "decode_batch_size": decoded, **experiment.loading}

    def generations(self, wildcards: Wildcards) -> list[str]:
        """Generations on the way of all descents."""
        return self.experiment(wildcards).iterate_files

    def comparing(self, wildcards: Wildcards) -> dict[str, Any]:
        """What counts as a copy, as for mitigations, and how the descriptor sees images."""
        entry = self.experiment(wildcards).entry
        own = chosen(entry["mitigation"], "copy_similarity")
        return {**own, **chosen(entry["prompts"], "preprocess", "batch_size")}

    def _block(self, wildcards: Wildcards) -> dict[str, Any]:
        entry = self.experiment(wildcards).entry
        return dict(entry["mitigation"]["mitigations"][wildcards.mitigation])

    def _section(self, wildcards: Wildcards) -> dict[str, Any]:
        section: dict[str, Any] = self.experiment(wildcards).entry["optimisation"]
        return section


class Rewriting(Inputs):
    """What stands under ``rewriting``."""

    def attributions(self, wildcards: Wildcards) -> str | list[str]:
        """Attributions of all words, if words are drawn by any."""
        asked = made(self._section(wildcards)["choices"]).values()
        reads = any(isinstance(one, WordChoice) and one.reads for one in asked)
        return f"{self.experiment(wildcards).folder}/attributions.parquet" if reads else []

    def written(self, wildcards: Wildcards) -> list[str]:
        """Files that the rewriter reads."""
        block = self._section(wildcards).get("rewriter")
        return REWRITERS[block["method"]].files(_options(REWRITERS, block)) if block else []

    def clip(self, wildcards: Wildcards) -> str | list[str]:
        """The CLIP model that says whether an answer keeps the meaning, if one is asked."""
        asked = self._section(wildcards).get("meaning") is not None
        return f"{self.experiment(wildcards).folder}/clip" if asked else []

    def options(self, wildcards: Wildcards) -> dict[str, Any]:
        """How prompts are rewritten, defaults of all methods filled in."""
        experiment, section = self.experiment(wildcards), self._section(wildcards)
        rows, block = {}, section.get("rewriter")
        for name, one in section["choices"].items():
            rows[name] = {"method": one["method"], **_options(CHOICES, one).model_dump(mode="json")}
        rewriter = {}
        if block:
            given = _options(REWRITERS, block).model_dump(mode="json")
            rewriter = {"method": block["method"], "options": given}
        own = chosen(section, "sets", "k", "repeats", "attempts", "meaning")
        return {**own, "choices": rows, "rewriter": rewriter, **experiment.loading}

    def asked_by(self, wildcards: Wildcards) -> list[Root]:
        """Code of the choices, and of the rewriter."""
        section = self._section(wildcards)
        methods = {one["method"] for one in section["choices"].values()}
        rows: list[type[Row]] = [CHOICES[name] for name in sorted(methods)]
        rows += [REWRITERS[section["rewriter"]["method"]]] if section.get("rewriter") else []
        return [root_of(row) for row in rows]

    def sampling(self, wildcards: Wildcards) -> dict[str, Any]:
        """How rewritten prompts are sampled: as others, but for the section's own keys."""
        experiment = self.experiment(wildcards)
        own = chosen(self._section(wildcards), "generations", "batch_size", "steps")
        shared = chosen(experiment.entry["prompts"], "steps", "guidance")
        decoded = experiment.entry["latents"]["batch_size"]
        return {**shared, **own, "decode_batch_size": decoded, **experiment.loading}

    def generations(self, wildcards: Wildcards) -> list[str]:
        """Generations of all rewritten prompts."""
        return self.experiment(wildcards).rewritten_files

    def comparing(self, wildcards: Wildcards) -> dict[str, Any]:
        """What counts as a copy, prompts for tuning, where CLIP is compared, and with which choice."""
        section = self._section(wildcards)
        return {
            **chosen(section, "copy_similarity", "tune", "similarities"),
            **chosen(self.experiment(wildcards).entry["prompts"], "preprocess", "batch_size"),
            "reference": reference_choice(section),
        }

    def _section(self, wildcards: Wildcards) -> dict[str, Any]:
        section: dict[str, Any] = self.experiment(wildcards).entry["rewriting"]
        return section


def _options(table: Table[Any], block: Mapping[str, Any]) -> Options:
    """Options of a block, defaults filled in."""
    given = {key: value for key, value in block.items() if key != "method"}
    return table[block["method"]].Options.model_validate(given)
