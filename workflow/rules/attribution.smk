"""Which words drive memorization: attributions of prompts to tokens, and the measured fall without each word.

INPUTS: results/<experiment>/prompts.parquet, model/, data/
OUTPUTS: results/<experiment>/attributions/, occlusion/, attributions.parquet, attribution.csv
"""


rule attribute_tokens:
    """Attribute the memorization of one span of prompts to their tokens."""
    input:
        prompts="results/{experiment}/prompts.parquet",
        model="results/{experiment}/model",
        captions=plan.attribution.captions,
    output:
        table="results/{experiment}/attributions/{prompt_set}/{span}.parquet",
    log:
        "logs/attribute_tokens/{experiment}/{prompt_set}/{span}.log",
    benchmark:
        "benchmarks/attribute_tokens/{experiment}/{prompt_set}/{span}.jsonl"
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=plan.code("attribute_tokens.py", plan.attribution.computed_by),
        compute=plan.compute,
        options=plan.attribution.options,
        seed=lookup("seed", within=config),
        untracked=plan.untracked,
    script:
        "../scripts/attribute_tokens.py"


rule occlude_words:
    """Measure what the images of one span of prompts lose if one word is replaced."""
    input:
        prompts="results/{experiment}/prompts.parquet",
        model="results/{experiment}/model",
        images=plan.prompts.images,
        captions=plan.prompts.image_captions,
        descriptor=plan.sources.prompt_descriptor,
    output:
        table="results/{experiment}/occlusion/{prompt_set}/{span}.parquet",
    log:
        "logs/occlude_words/{experiment}/{prompt_set}/{span}.log",
    benchmark:
        "benchmarks/occlude_words/{experiment}/{prompt_set}/{span}.jsonl"
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("occlude_words.py"),
        compute=plan.compute,
        options=plan.attribution.occluding,
        seed=lookup("seed", within=config),
    script:
        "../scripts/occlude_words.py"


rule score_attributions:
    """Score attributions: how well they name the words that drive memorization."""
    input:
        prompts="results/{experiment}/prompts.parquet",
        attributions=plan.attribution.attributions,
        occlusion=plan.attribution.occlusion,
    output:
        words="results/{experiment}/attributions.parquet",
        table=report(
            "results/{experiment}/attribution.csv",
            caption="../report/attribution.rst",
            category="Tables",
            labels={"table": "attribution, {experiment}"},
        ),
    log:
        "logs/score_attributions/{experiment}.log",
    benchmark:
        "benchmarks/score_attributions/{experiment}.jsonl"
    wildcard_constraints:
        experiment=plan.patterns.having("attribution"),
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("score_attributions.py"),
        tune=plan.attribution.tune,
        known=plan.attribution.known,
    script:
        "../scripts/score_attributions.py"
