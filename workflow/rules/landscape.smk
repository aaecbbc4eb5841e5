"""Dense Hessians of a learned density: identities between score and Hessian, and the plane of the toy.

INPUTS: results/<experiment>/model/, samples/, latents/
OUTPUTS: results/<experiment>/identities.csv, landscape.parquet, landscape_states.parquet
"""


rule measure_identities:
    """Measure identities between the score and its Hessian at noised items, learned beside exact."""
    input:
        images=plan.landscape.images,
        captions=plan.landscape.captions,
        model="results/{experiment}/model",
    output:
        identities="results/{experiment}/identities.csv",
    log:
        "logs/measure_identities/{experiment}.log",
    benchmark:
        "benchmarks/measure_identities/{experiment}.jsonl"
    wildcard_constraints:
        experiment=plan.patterns.drawing("score_identities"),
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=plan.code("measure_identities.py", plan.models.loaded_by, plan.models.drawn_by),
        compute=plan.compute,
        world=plan.models.world,
        data=plan.models.data,
        options=plan.landscape.identities,
        load=plan.landscape.loading,
        seed=lookup("seed", within=config),
        untracked=plan.untracked,
    script:
        "../scripts/measure_identities.py"


rule measure_landscape:
    """Compute density, score and sharpness of the toy over the plane and along its samples' way."""
    input:
        model="results/{experiment}/model",
    output:
        field="results/{experiment}/landscape.parquet",
        states="results/{experiment}/landscape_states.parquet",
    log:
        "logs/measure_landscape/{experiment}.log",
    benchmark:
        "benchmarks/measure_landscape/{experiment}.jsonl"
    wildcard_constraints:
        experiment=plan.patterns.drawing("toy_landscape"),
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=plan.code("measure_landscape.py", plan.models.loaded_by),
        compute=plan.compute,
        data=plan.models.data,
        sampling=plan.images.sampling,
        n_samples=lookup("experiments/{experiment}/sampling/n_samples", within=config),
        options=plan.landscape.plane,
        seed=lookup("seed", within=config),
        untracked=plan.untracked,
    script:
        "../scripts/measure_landscape.py"
