"""Prompts whose words are replaced, by attribution or otherwise: rewritten, sampled, compared.

INPUTS: results/<experiment>/prompts.parquet, attributions.parquet, model/, data/, clip/
OUTPUTS: results/<experiment>/rewrites.parquet, rewritten/, rewriting.parquet, rewriting.csv
"""


rule rewrite_prompts:
    """Replace words of prompts, or put some in, by each choice, for each k and several times over."""
    input:
        prompts="results/{experiment}/prompts.parquet",
        attributions=plan.rewriting.attributions,
        model="results/{experiment}/model",
        written=plan.rewriting.written,
        clip=plan.rewriting.clip,
    output:
        table="results/{experiment}/rewrites.parquet",
    log:
        "logs/rewrite_prompts/{experiment}.log",
    benchmark:
        "benchmarks/rewrite_prompts/{experiment}.jsonl"
    wildcard_constraints:
        experiment=plan.patterns.having("rewriting"),
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=plan.code("rewrite_prompts.py", plan.rewriting.asked_by),
        compute=plan.compute,
        options=plan.rewriting.options,
        seed=lookup("seed", within=config),
    script:
        "../scripts/rewrite_prompts.py"


rule sample_rewritten:
    """Sample the rewritings of one span of prompts."""
    input:
        prompts="results/{experiment}/prompts.parquet",
        rewrites="results/{experiment}/rewrites.parquet",
        model="results/{experiment}/model",
    output:
        generations="results/{experiment}/rewritten/{prompt_set}/{span}.npz",
    log:
        "logs/sample_rewritten/{experiment}/{prompt_set}/{span}.log",
    benchmark:
        "benchmarks/sample_rewritten/{experiment}/{prompt_set}/{span}.jsonl"
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("sample_rewritten.py"),
        compute=plan.compute,
        options=plan.rewriting.sampling,
        seed=lookup("seed", within=config),
    script:
        "../scripts/sample_rewritten.py"


rule measure_rewrites:
    """Measure generations of rewritten prompts, and compare the choices of words."""
    input:
        prompts="results/{experiment}/prompts.parquet",
        rewrites="results/{experiment}/rewrites.parquet",
        generations=plan.rewriting.generations,
        images=plan.prompts.images,
        captions=plan.prompts.image_captions,
        descriptor=plan.sources.prompt_descriptor,
        clip=plan.mitigation.clip,
    output:
        generations="results/{experiment}/rewriting.parquet",
        table=report(
            "results/{experiment}/rewriting.csv",
            caption="../report/rewriting.rst",
            category="Tables",
            labels={"table": "rewriting, {experiment}"},
        ),
    log:
        "logs/measure_rewrites/{experiment}.log",
    benchmark:
        "benchmarks/measure_rewrites/{experiment}.jsonl"
    wildcard_constraints:
        experiment=plan.patterns.having("rewriting"),
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("measure_rewrites.py"),
        compute=plan.compute,
        options=plan.rewriting.comparing,
        seed=lookup("seed", within=config),
    script:
        "../scripts/measure_rewrites.py"
