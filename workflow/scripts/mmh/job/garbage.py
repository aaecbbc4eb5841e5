"""Python's search for garbage, put off while a job imports its packages.

PyTorch and diffusers make a million objects that stay, and Python looks through all of them again and again
for cycles that nothing refers to: a sixth of the processor time of a job that takes seconds.
"""

import gc

OBJECTS = 20_000
"""New objects from one search to the next; Python's own number is 700."""
_usual = gc.get_threshold()


def search_seldom() -> None:
    """Search seldom from now on."""
    gc.set_threshold(OBJECTS, *_usual[1:])


def search_as_usual() -> None:
    """Search as often as Python does by itself: the work has begun, and its garbage may be large."""
    gc.set_threshold(*_usual)
