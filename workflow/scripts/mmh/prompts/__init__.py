"""Lists of prompts, and what their words alone give away."""
