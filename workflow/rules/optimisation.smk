"""Prompts sampled on the way of a descent on their embedding, as in Fig. 9 of the MMH paper.

INPUTS: results/<experiment>/prompts.parquet, model/, data/, clip/
OUTPUTS: results/<experiment>/iterates/, iterates.parquet, optimisation.csv
"""


rule sample_iterates:
    """Sample one span of prompts after some iterations of a descent on their embedding."""
    input:
        prompts="results/{experiment}/prompts.parquet",
        model="results/{experiment}/model",
    output:
        generations="results/{experiment}/iterates/{mitigation}/{prompt_set}/{span}.npz",
    log:
        "logs/sample_iterates/{experiment}/{mitigation}/{prompt_set}/{span}.log",
    benchmark:
        "benchmarks/sample_iterates/{experiment}/{mitigation}/{prompt_set}/{span}.jsonl"
    wildcard_constraints:
        experiment=plan.patterns.having("optimisation"),
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=plan.code("sample_iterates.py", plan.optimisation.changed_by),
        compute=plan.compute,
        method=plan.optimisation.method,
        options=plan.optimisation.options,
        sampling=plan.optimisation.sampling,
        seed=lookup("seed", within=config),
        untracked=plan.untracked,
    script:
        "../scripts/sample_iterates.py"


rule measure_iterates:
    """Measure generations on the way of descents, and compare them with those of the prompts as they are."""
    input:
        prompts="results/{experiment}/prompts.parquet",
        generations=plan.optimisation.generations,
        images=plan.prompts.images,
        captions=plan.prompts.image_captions,
        descriptor=plan.sources.prompt_descriptor,
        clip=plan.mitigation.clip,
    output:
        generations="results/{experiment}/iterates.parquet",
        table=report(
            "results/{experiment}/optimisation.csv",
            caption="../report/optimisation.rst",
            category="Tables",
            labels={"table": "optimised embeddings, {experiment}"},
        ),
    log:
        "logs/measure_iterates/{experiment}.log",
    benchmark:
        "benchmarks/measure_iterates/{experiment}.jsonl"
    wildcard_constraints:
        experiment=plan.patterns.having("optimisation"),
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("measure_iterates.py"),
        compute=plan.compute,
        options=plan.optimisation.comparing,
    script:
        "../scripts/measure_iterates.py"
