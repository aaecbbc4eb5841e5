"""Whether what a mitigation takes away comes back: attacks of growing budget, on its prompts and on controls.

INPUTS: results/<experiment>/prompts.parquet, mitigated.parquet, model/, data/
OUTPUTS: results/<experiment>/elicited/, elicited.parquet, re_elicitation.csv
"""


rule elicit_copies:
    """Attack a mitigation on one span of prompts, and sample what came out after each budget."""
    input:
        prompts="results/{experiment}/prompts.parquet",
        model="results/{experiment}/model",
        images=plan.prompts.images,
        captions=plan.prompts.image_captions,
    output:
        images="results/{experiment}/elicited/{mitigation}/{prompt_set}/{span}.npz",
    log:
        "logs/elicit_copies/{experiment}/{mitigation}/{prompt_set}/{span}.log",
    benchmark:
        "benchmarks/elicit_copies/{experiment}/{mitigation}/{prompt_set}/{span}.jsonl"
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=plan.code("elicit_copies.py", plan.mitigation.changed_by),
        compute=plan.compute,
        method=plan.mitigation.method,
        options=plan.mitigation.options,
        attacking=plan.elicitation.attacking,
        seed=lookup("seed", within=config),
        untracked=plan.untracked,
    script:
        "../scripts/elicit_copies.py"


rule measure_re_elicitation:
    """Count how often attacks bring training images back past mitigations, beside chance."""
    input:
        prompts="results/{experiment}/prompts.parquet",
        elicited=plan.elicitation.images,
        mitigated="results/{experiment}/mitigated.parquet",
        images=plan.prompts.images,
        captions=plan.prompts.image_captions,
        descriptor=plan.sources.prompt_descriptor,
    output:
        images="results/{experiment}/elicited.parquet",
        table=report(
            "results/{experiment}/re_elicitation.csv",
            caption="../report/re_elicitation.rst",
            category="Tables",
            labels={"table": "re-elicitation, {experiment}"},
        ),
    log:
        "logs/measure_re_elicitation/{experiment}.log",
    benchmark:
        "benchmarks/measure_re_elicitation/{experiment}.jsonl"
    wildcard_constraints:
        experiment=plan.patterns.having("re_elicitation"),
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("measure_re_elicitation.py"),
        compute=plan.compute,
        options=plan.elicitation.comparing,
    script:
        "../scripts/measure_re_elicitation.py"
