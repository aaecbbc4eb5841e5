"""Scores of single images and samples, by the methods of `mmh.scores`: a rule for each kind of step.

INPUTS: images, latents and captions, results/<experiment>/model/
OUTPUTS: results/<experiment>/scores/<items>/<estimator>..., spectra/..., scores.parquet
"""


rule score_span:
    """Compute an estimator at one span of items: a number for each."""
    input:
        images=plan.images.files,
        captions=plan.images.captions,
        model=plan.scores.model,
    output:
        scores="results/{experiment}/scores/{item_set}/{estimator}/{span}.parquet",
    log:
        "logs/score_span/{experiment}/{item_set}/{estimator}/{span}.log",
    benchmark:
        "benchmarks/score_span/{experiment}/{item_set}/{estimator}/{span}.jsonl"
    priority: plan.early
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=plan.code("score_span.py", plan.scores.computed_by, plan.models.loaded_by),
        compute=plan.compute,
        method=plan.scores.method,
        options=plan.scores.options,
        load=plan.scores.loading,
        seed=plan.scores.seed,
        untracked=plan.scores.untracked,
    script:
        "../scripts/score_span.py"


rule score_spectra:
    """Compute the spectra that an estimator counts, at one span of items."""
    input:
        images=plan.images.files,
        captions=plan.images.captions,
        model=plan.scores.model,
    output:
        spectra="results/{experiment}/spectra/{item_set}/{estimator}/{span}.npz",
    log:
        "logs/score_spectra/{experiment}/{item_set}/{estimator}/{span}.log",
    benchmark:
        "benchmarks/score_spectra/{experiment}/{item_set}/{estimator}/{span}.jsonl"
    priority: plan.longest_first("score_spectra")
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=plan.code("score_spectra.py", plan.scores.computed_by, plan.models.loaded_by),
        compute=plan.compute,
        method=plan.scores.method,
        options=plan.scores.spectra_options,
        load=plan.scores.loading,
        seed=plan.scores.seed,
        untracked=plan.scores.untracked,
    script:
        "../scripts/score_spectra.py"


rule score_set:
    """Compute an estimator at a whole item set, from its images or by counting its spectra."""
    input:
        images=plan.scores.set_images,
        spectra=plan.scores.spectra,
        candidates=plan.scores.left_out_of_pool,
    output:
        scores="results/{experiment}/scores/{item_set}/{estimator}.parquet",
    log:
        "logs/score_set/{experiment}/{item_set}/{estimator}.log",
    benchmark:
        "benchmarks/score_set/{experiment}/{item_set}/{estimator}.jsonl"
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=plan.code("score_set.py", plan.scores.computed_by),
        compute=plan.compute,
        method=plan.scores.method,
        options=plan.scores.options,
        seed=plan.scores.seed,
        untracked=plan.scores.untracked,
    script:
        "../scripts/score_set.py"


rule gather_scores:
    """Put all scores of an experiment into one table and add those that follow from others."""
    input:
        scores=plan.scores.files,
    output:
        scores="results/{experiment}/scores.parquet",
    log:
        "logs/gather_scores/{experiment}.log",
    benchmark:
        "benchmarks/gather_scores/{experiment}.jsonl"
    priority: plan.early
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=plan.code("gather_scores.py", plan.scores.combined_by),
        calibration=plan.evaluation.calibration,
        item_sets=plan.scores.item_sets,
        ratios=plan.scores.ratios,
        untracked=plan.scores.untracked,
    script:
        "../scripts/gather_scores.py"
