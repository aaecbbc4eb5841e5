"""Errors that a user can act on."""


class InputError(ValueError):
    """Bad input: one message that names the file, line or key, what was expected and what to do.

    ``mmh.job.frame`` prints it as a single line; every other exception is printed with its traceback.
    """
