"""Samples: spans of ids, each sample a function of (seed, id) alone.

INPUTS: results/<experiment>/model/
OUTPUTS: results/<experiment>/samples/<span>.npz
"""


rule sample_images:
    """Draw the samples of one span of ids."""
    input:
        model="results/{experiment}/model",
    output:
        samples="results/{experiment}/samples/{span}.npz",
    log:
        "logs/sample_images/{experiment}/{span}.log",
    benchmark:
        "benchmarks/sample_images/{experiment}/{span}.jsonl"
    priority: plan.early
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=plan.code("sample_images.py", plan.models.loaded_by),
        compute=plan.compute,
        options=plan.images.sampling,
        seed=lookup("seed", within=config),
        untracked=plan.models.fetched_model,
    script:
        "../scripts/sample_images.py"
