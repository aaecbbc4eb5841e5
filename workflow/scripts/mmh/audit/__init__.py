"""Does a model memorize someone's images, or prompts: tests against a null, ranked tables, one page."""
