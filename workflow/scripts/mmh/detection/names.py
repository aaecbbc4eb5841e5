"""Names in ``evaluation.csv`` of what is evaluated on image sets and prompts."""

PROMPTS = "prompts:"
"""Before the contrasts of prompts."""
TURNED = ".turned"
"""Behind a control that is no text, turned to the side that the other folds say."""
MATCHED = ":matched"
"""Behind a contrast of prompts that are matched in length and capitals."""


def contrast_name(positive: str, negative: str) -> str:
    """Name the contrast of two sets."""
    return f"{positive}-{negative}"
