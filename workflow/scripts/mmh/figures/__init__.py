"""The figures, one module each: what it is called, what it reads, its caption, and how it is drawn."""
