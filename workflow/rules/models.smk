"""Models: trained here, each into one folder that the later steps read alike.

INPUTS: results/<experiment>/data/train.npz
OUTPUTS: results/<experiment>/model/, training.csv
"""


rule train_mlp:
    """Train an MLP with EDM preconditioning on points of the plane."""
    input:
        images="results/{experiment}/data/train.npz",
    output:
        model=directory("results/{experiment}/model"),
        history="results/{experiment}/training.csv",
    log:
        "logs/train_mlp/{experiment}.log",
    benchmark:
        "benchmarks/train_mlp/{experiment}.jsonl"
    wildcard_constraints:
        experiment=experiments_with("model", "kind", "edm-mlp"),
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        code=code_digest("train_mlp.py"),
        compute=compute_options,
        options=lookup("experiments/{experiment}/model", within=config),
        seed=lookup("seed", within=config),
    script:
        "../scripts/train_mlp.py"


rule train_unet:
    """Train a small diffusers UNet on the digits."""
    input:
        images="results/{experiment}/data/train.npz",
    output:
        model=directory("results/{experiment}/model"),
        history="results/{experiment}/training.csv",
    log:
        "logs/train_unet/{experiment}.log",
    benchmark:
        "benchmarks/train_unet/{experiment}.jsonl"
    wildcard_constraints:
        experiment=experiments_with("model", "kind", "unet"),
    priority: 10
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        code=code_digest("train_unet.py"),
        compute=compute_options,
        options=lookup("experiments/{experiment}/model", within=config),
        seed=lookup("seed", within=config),
    script:
        "../scripts/train_unet.py"


rule train_descriptor:
    """Train a small copy descriptor by SSCD's recipe and export it as TorchScript."""
    output:
        descriptor="results/descriptors/{descriptor}.pt",
        history="results/descriptors/{descriptor}.csv",
    log:
        "logs/train_descriptor/{descriptor}.log",
    benchmark:
        "benchmarks/train_descriptor/{descriptor}.jsonl"
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        code=code_digest("train_descriptor.py"),
        compute=compute_options,
        options=lookup("descriptors/{descriptor}", within=config),
        seed=lookup("seed", within=config),
    script:
        "../scripts/train_descriptor.py"
