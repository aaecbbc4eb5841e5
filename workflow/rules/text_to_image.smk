"""Text-to-image models: CLIP of an embedded world, latents of real images, generations and scores of prompts.

INPUTS: results/<experiment>/image_sets/, prompts.parquet, model/, data/
OUTPUTS: results/<experiment>/clip/, latents/, generations/, prompt_scores/, mitigated/, mitigation.csv,
    evaluation.csv, combination.csv, field.csv
"""


rule train_clip:
    """Train a small CLIP model on the images and captions of an embedded world."""
    input:
        images="results/{experiment}/data/train.npz",
        table="results/{experiment}/data/train.parquet",
        captions="results/{experiment}/data/captions.parquet",
    output:
        model=directory("results/{experiment}/clip"),
        history="results/{experiment}/clip.csv",
    log:
        "logs/train_clip/{experiment}.log",
    benchmark:
        "benchmarks/train_clip/{experiment}.jsonl"
    wildcard_constraints:
        experiment=plan.patterns.having("clip"),
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("train_clip.py"),
        compute=plan.compute,
        options=lookup("experiments/{experiment}/clip", within=config),
        seed=lookup("seed", within=config),
    script:
        "../scripts/train_clip.py"


rule check_clip:
    """Say which slots of the captions a small CLIP model reads, on images that it was not trained on."""
    input:
        images="results/{experiment}/data/train.npz",
        table="results/{experiment}/data/train.parquet",
        captions="results/{experiment}/data/captions.parquet",
        model="results/{experiment}/clip",
    output:
        slots=report(
            "results/{experiment}/clip_slots.csv",
            caption="../report/clip_slots.rst",
            category="Checks",
            labels={"table": "what CLIP reads, {experiment}"},
        ),
    log:
        "logs/check_clip/{experiment}.log",
    benchmark:
        "benchmarks/check_clip/{experiment}.jsonl"
    wildcard_constraints:
        experiment=plan.patterns.worded(),
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("check_clip.py"),
        compute=plan.compute,
        held_out=plan.attribution.held_out,
    script:
        "../scripts/check_clip.py"


rule encode_images:
    """Encode one span of an image set to latents."""
    input:
        images="results/{experiment}/image_sets/{item_set}.npz",
        model="results/{experiment}/model",
    output:
        latents="results/{experiment}/latents/{item_set}/{span}.npz",
    log:
        "logs/encode_images/{experiment}/{item_set}/{span}.log",
    benchmark:
        "benchmarks/encode_images/{experiment}/{item_set}/{span}.jsonl"
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("encode_images.py"),
        compute=plan.compute,
        options=plan.images.encoding,
    script:
        "../scripts/encode_images.py"


rule score_prompts:
    """Sample one span of prompts with guidance, and take metrics on the way."""
    input:
        prompts="results/{experiment}/prompts.parquet",
        model="results/{experiment}/model",
    output:
        generations="results/{experiment}/generations/{prompt_set}/{span}.npz",
        scores="results/{experiment}/prompt_scores/{prompt_set}/{span}.parquet",
    log:
        "logs/score_prompts/{experiment}/{prompt_set}/{span}.log",
    benchmark:
        "benchmarks/score_prompts/{experiment}/{prompt_set}/{span}.jsonl"
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=plan.code("score_prompts.py", plan.prompts.measured_by),
        compute=plan.compute,
        options=plan.prompts.options,
        seed=lookup("seed", within=config),
        untracked=plan.untracked,
    script:
        "../scripts/score_prompts.py"


rule match_generations:
    """Compare each generation with the training image of its prompt, by the copy descriptor."""
    input:
        prompts="results/{experiment}/prompts.parquet",
        generations=plan.prompts.generations,
        images=plan.prompts.images,
        captions=plan.prompts.image_captions,
        descriptor=plan.sources.prompt_descriptor,
    output:
        matches="results/{experiment}/generation_matches.parquet",
    log:
        "logs/match_generations/{experiment}.log",
    benchmark:
        "benchmarks/match_generations/{experiment}.jsonl"
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("match_generations.py"),
        compute=plan.compute,
        options=plan.prompts.matching,
    script:
        "../scripts/match_generations.py"


rule evaluate_detection:
    """Compute AUC and TPR of detectors of memorized images and prompts, with gains over the controls."""
    input:
        unpack(plan.evaluation.detection_tables),
    output:
        evaluation=report(
            "results/{experiment}/evaluation.csv",
            caption="../report/evaluation.rst",
            category="Tables",
            labels={"table": "evaluation, {experiment}"},
        ),
    log:
        "logs/evaluate_detection/{experiment}.log",
    benchmark:
        "benchmarks/evaluate_detection/{experiment}.jsonl"
    wildcard_constraints:
        experiment=plan.patterns.having("detection"),
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=plan.code("evaluate_detection.py", plan.prompts.measured_by),
        options=plan.evaluation.detection,
        seed=lookup("seed", within=config),
        untracked=plan.untracked,
    script:
        "../scripts/evaluate_detection.py"


rule combine_detectors:
    """Say which detectors of prompts add to others, by fits that have not seen the prompts they score."""
    input:
        prompts="results/{experiment}/prompts.parquet",
        prompt_scores=plan.prompts.scores,
    output:
        table=report(
            "results/{experiment}/combination.csv",
            caption="../report/combination.rst",
            category="Tables",
            labels={"table": "combined detectors, {experiment}"},
        ),
    log:
        "logs/combine_detectors/{experiment}.log",
    benchmark:
        "benchmarks/combine_detectors/{experiment}.jsonl"
    wildcard_constraints:
        experiment=plan.patterns.having("combination"),
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=plan.code("combine_detectors.py", plan.prompts.measured_by),
        options=plan.evaluation.combination,
        seed=lookup("seed", within=config),
        untracked=plan.untracked,
    script:
        "../scripts/combine_detectors.py"


rule tabulate_field:
    """List all detectors of prompts, with interval and cost, beside what was published."""
    input:
        evaluation="results/{experiment}/evaluation.csv",
        combination=plan.evaluation.combined,
    output:
        table=report(
            "results/{experiment}/field.csv",
            caption="../report/field.rst",
            category="Tables",
            labels={"table": "detectors of prompts, {experiment}"},
        ),
    log:
        "logs/tabulate_field/{experiment}.log",
    benchmark:
        "benchmarks/tabulate_field/{experiment}.jsonl"
    wildcard_constraints:
        experiment=plan.patterns.having("field"),
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=plan.code("tabulate_field.py", plan.prompts.measured_by),
        metrics=plan.evaluation.metrics,
        options=plan.evaluation.field,
        untracked=plan.untracked,
    script:
        "../scripts/tabulate_field.py"


rule sample_mitigated:
    """Sample one span of prompts with a mitigation."""
    input:
        prompts="results/{experiment}/prompts.parquet",
        model="results/{experiment}/model",
    output:
        generations="results/{experiment}/mitigated/{mitigation}/{prompt_set}/{span}.npz",
    log:
        "logs/sample_mitigated/{experiment}/{mitigation}/{prompt_set}/{span}.log",
    benchmark:
        "benchmarks/sample_mitigated/{experiment}/{mitigation}/{prompt_set}/{span}.jsonl"
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=plan.code("sample_mitigated.py", plan.mitigation.changed_by),
        compute=plan.compute,
        method=plan.mitigation.method,
        options=plan.mitigation.options,
        sampling=plan.mitigation.sampling,
        seed=lookup("seed", within=config),
        untracked=plan.untracked,
    script:
        "../scripts/sample_mitigated.py"


rule measure_mitigations:
    """Measure generations with mitigations, and compare the mitigations."""
    input:
        prompts="results/{experiment}/prompts.parquet",
        generations=plan.mitigation.generations,
        images=plan.prompts.images,
        captions=plan.prompts.image_captions,
        descriptor=plan.sources.prompt_descriptor,
        clip=plan.mitigation.clip,
    output:
        generations="results/{experiment}/mitigated.parquet",
        table=report(
            "results/{experiment}/mitigation.csv",
            caption="../report/mitigation.rst",
            category="Tables",
            labels={"table": "mitigation, {experiment}"},
        ),
    log:
        "logs/measure_mitigations/{experiment}.log",
    benchmark:
        "benchmarks/measure_mitigations/{experiment}.jsonl"
    wildcard_constraints:
        experiment=plan.patterns.having("mitigation"),
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("measure_mitigations.py"),
        compute=plan.compute,
        options=plan.mitigation.comparing,
    script:
        "../scripts/measure_mitigations.py"
