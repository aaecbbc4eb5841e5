"""Answers: whether a model memorizes someone's images, or prompts; `mmh audit` asks for them.

INPUTS: data/train.npz, samples/, embeddings/, scores.parquet, hold-out images; prompts.parquet, prompt_scores/, generations/
OUTPUTS: results/<experiment>/audit.html, audit.csv
"""


rule answer_images:
    """Answer which training images the model memorizes, with a test of each against a null."""
    input:
        unpack(plan.answers.embeddings),
        train="results/{experiment}/data/train.npz",
        samples=plan.images.samples,
        holdout=plan.answers.holdout,
        scores=plan.answers.scores,
        model="results/{experiment}/model",
    output:
        page="results/{experiment}/audit.html",
        table="results/{experiment}/audit.csv",
    log:
        "logs/answer_images/{experiment}.log",
    benchmark:
        "benchmarks/answer_images/{experiment}.jsonl"
    wildcard_constraints:
        experiment=plan.patterns.having("image_answer"),
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("answer_images.py"),
        folder=plan.answers.folder,
        options=plan.answers.image_options,
        seed=lookup("seed", within=config),
    script:
        "../scripts/answer_images.py"


rule answer_prompts:
    """Answer which prompts the model memorizes, with a test of each against control prompts."""
    input:
        prompts="results/{experiment}/prompts.parquet",
        scores=plan.answers.prompt_scores,
        generations=plan.answers.generations,
        model="results/{experiment}/model",
    output:
        page="results/{experiment}/audit.html",
        table="results/{experiment}/audit.csv",
    log:
        "logs/answer_prompts/{experiment}.log",
    benchmark:
        "benchmarks/answer_prompts/{experiment}.jsonl"
    wildcard_constraints:
        experiment=plan.patterns.having("prompt_answer"),
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=plan.code("answer_prompts.py", plan.prompts.measured_by),
        options=plan.answers.prompt_options,
        seed=lookup("seed", within=config),
        untracked=plan.untracked,
    script:
        "../scripts/answer_prompts.py"
