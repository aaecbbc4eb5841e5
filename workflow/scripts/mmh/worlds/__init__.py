"""Data sets ("worlds"): digits or a stated law with populations planted on purpose, archives, folders."""
