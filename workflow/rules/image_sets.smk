"""Images and prompts with captions: the embedded world's, and those of public lists.

INPUTS: lists under `sources`, the addresses in them, resources/prompts/
OUTPUTS: results/<experiment>/image_sets/, ledgers/, prompts.parquet, prompt_audit.csv, resources/images/
"""


rule make_captioned_data:
    """Make an embedded captioned world: training set, captions, prompts and image sets."""
    output:
        images="results/{experiment}/data/train.npz",
        table="results/{experiment}/data/train.parquet",
        captions="results/{experiment}/data/captions.parquet",
        prompts="results/{experiment}/prompts.parquet",
        memorized="results/{experiment}/image_sets/memorized.npz",
        memorized_table="results/{experiment}/image_sets/memorized.parquet",
        control="results/{experiment}/image_sets/control.npz",
        control_table="results/{experiment}/image_sets/control.parquet",
        generic="results/{experiment}/image_sets/generic.npz",
        generic_table="results/{experiment}/image_sets/generic.parquet",
    log:
        "logs/make_captioned_data/{experiment}.log",
    benchmark:
        "benchmarks/make_captioned_data/{experiment}.jsonl"
    wildcard_constraints:
        experiment=plan.patterns.world("captioned"),
    priority: plan.models.longest_first
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=plan.code("make_captioned_data.py", plan.models.drawn_by),
        world=plan.models.world,
        options=plan.models.data,
        untracked=plan.models.fetched_data,
    script:
        "../scripts/make_captioned_data.py"


rule list_images:
    """List the images of a set: read its files, pick rows, draw a subset by the seed."""
    input:
        files=plan.image_sets.lists,
        captions=plan.image_sets.captions,
    output:
        table="results/{experiment}/image_lists/{item_set}.parquet",
    log:
        "logs/list_images/{experiment}/{item_set}.log",
    benchmark:
        "benchmarks/list_images/{experiment}/{item_set}.jsonl"
    wildcard_constraints:
        item_set=plan.patterns.listed_sets(),
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("list_images.py"),
        options=plan.image_sets.listing,
        seed=lookup("seed", within=config),
        untracked=plan.image_sets.digests,
    script:
        "../scripts/list_images.py"


rule fetch_images:
    """Fetch the images of a list, and say in a ledger what became of each address."""
    input:
        table="results/{experiment}/image_lists/{item_set}.parquet",
        files=plan.image_sets.lists,
    output:
        ledger="results/{experiment}/ledgers/{item_set}.parquet",
    log:
        "logs/fetch_images/{experiment}/{item_set}.log",
    benchmark:
        "benchmarks/fetch_images/{experiment}/{item_set}.jsonl"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("fetch_images.py"),
        options=plan.image_sets.placeholders,
        store=plan.image_sets.store,
        untracked=plan.image_sets.fetching,
    script:
        "../scripts/fetch_images.py"


rule import_image_set:
    """Make an image set of what could be fetched: pixels, captions, families, and how many were lost."""
    input:
        table="results/{experiment}/image_lists/{item_set}.parquet",
        ledger="results/{experiment}/ledgers/{item_set}.parquet",
    output:
        images="results/{experiment}/image_sets/{item_set}.npz",
        table="results/{experiment}/image_sets/{item_set}.parquet",
        counts="results/{experiment}/image_sets/{item_set}.counts.json",
    log:
        "logs/import_image_set/{experiment}/{item_set}.log",
    benchmark:
        "benchmarks/import_image_set/{experiment}/{item_set}.jsonl"
    wildcard_constraints:
        item_set=plan.patterns.listed_sets(),
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("import_image_set.py"),
        options=plan.image_sets.importing,
        store=plan.image_sets.store,
        untracked=plan.image_sets.fetching,
    script:
        "../scripts/import_image_set.py"


rule import_prompts:
    """Read lists of prompts into one table, with near-duplicates as families."""
    input:
        lists=plan.prompts.lists,
    output:
        prompts="results/{experiment}/prompts.parquet",
    log:
        "logs/import_prompts/{experiment}.log",
    benchmark:
        "benchmarks/import_prompts/{experiment}.jsonl"
    wildcard_constraints:
        experiment=plan.patterns.having("prompt_lists"),
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("import_prompts.py"),
        columns=plan.prompts.columns,
        wanted=plan.prompts.counts,
        families=plan.prompts.families,
    script:
        "../scripts/import_prompts.py"


rule audit_prompts:
    """Say what the text of prompts alone gives away, without any model."""
    input:
        lists=plan.prompts.lists,
        prompts=plan.prompts.audited_table,
    output:
        audit=report(
            "results/{experiment}/prompt_audit.csv",
            caption="../report/prompt_audit.rst",
            category="Tables",
            labels={"table": "prompt audit, {experiment}"},
        ),
        report="results/{experiment}/prompt_audit.json",
    log:
        "logs/audit_prompts/{experiment}.log",
    benchmark:
        "benchmarks/audit_prompts/{experiment}.jsonl"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("audit_prompts.py"),
        lists=plan.prompts.audited,
        options=lookup("experiments/{experiment}/prompt_audit", within=config),
        seed=lookup("seed", within=config),
    script:
        "../scripts/audit_prompts.py"
