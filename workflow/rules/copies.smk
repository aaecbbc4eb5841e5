"""Copies by probability mass, and by other definitions than dimension.

INPUTS: results/<experiment>/model/, data/train.npz, data/train.parquet, samples/, labels.parquet, scores.parquet
OUTPUTS: results/<experiment>/balls.csv, duplicates.csv, definitions.csv
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


rule apply_definitions:
    """Apply earlier definitions of copying, and LID, to the samples: what each finds in each group."""
    input:
        unpack(plan.evaluation.definition_tables),
        samples=plan.images.samples,
        images="results/{experiment}/data/train.npz",
        table="results/{experiment}/data/train.parquet",
    output:
        definitions=report(
            "results/{experiment}/definitions.csv",
            caption="../report/definitions.rst",
            category="Tables",
            labels={"table": "definitions, {experiment}"},
        ),
    log:
        "logs/apply_definitions/{experiment}.log",
    benchmark:
        "benchmarks/apply_definitions/{experiment}.jsonl"
    wildcard_constraints:
        experiment=plan.patterns.having("definitions"),
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=plan.code("apply_definitions.py", plan.models.drawn_by),
        compute=plan.compute,
        world=plan.models.world,
        data=plan.models.data,
        calibration=plan.evaluation.calibration,
        options=lookup("experiments/{experiment}/definitions", within=config),
        seed=lookup("seed", within=config),
        untracked=plan.untracked,
    script:
        "../scripts/apply_definitions.py"
