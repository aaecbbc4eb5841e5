"""Errors that a user can act on."""


class InputError(ValueError):
    """Bad input: one message that names the file, line or key, what was expected and what to do.

    ``mmh.job.frame`` prints it as a single line; every other exception is printed with its traceback.
    """


def reason_of(error: BaseException) -> str:
    """What a caught error says, on one line; its type where it says nothing."""
    return " ".join(str(getattr(error, "reason", error)).split()) or type(error).__name__


def in_short(error: BaseException, most: int = 200) -> str:
    """Give the first line of an error, or what kind it is of where it says nothing."""
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return line if len(line) <= most else f"{line[:most]}..."
