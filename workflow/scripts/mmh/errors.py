"""Errors that a user can act on."""


class InputError(ValueError):
    """Bad input: one message that names the file, line or key, what was expected and what to do.

    ``mmh.job.frame`` prints it as a single line; every other exception is printed with its traceback.
    """


def reason_of(error: BaseException) -> str:
    """What a caught error says, on one line; its type where it says nothing."""
    return " ".join(str(getattr(error, "reason", error)).split()) or type(error).__name__
