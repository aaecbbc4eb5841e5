"""Copies by probability mass: samples in balls whose probability under the true law is known.

INPUTS: results/<experiment>/model/, data/train.npz, data/train.parquet
OUTPUTS: results/<experiment>/balls.csv, duplicates.csv
"""


rule measure_copies:
    """Count samples in balls of known mass, and training sets drawn from the law that hold a duplicate."""
    input:
        model="results/{experiment}/model",
        images="results/{experiment}/data/train.npz",
        table="results/{experiment}/data/train.parquet",
    output:
        balls="results/{experiment}/balls.csv",
        duplicates="results/{experiment}/duplicates.csv",
    log:
        "logs/measure_copies/{experiment}.log",
    benchmark:
        "benchmarks/measure_copies/{experiment}.jsonl"
    wildcard_constraints:
        experiment=plan.patterns.having("copies"),
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=plan.code("measure_copies.py", plan.models.loaded_by, plan.models.drawn_by),
        compute=plan.compute,
        world=plan.models.world,
        data=plan.models.data,
        sampling=plan.images.sampling,
        options=lookup("experiments/{experiment}/copies", within=config),
        seed=lookup("seed", within=config),
        untracked=plan.untracked,
    script:
        "../scripts/measure_copies.py"
