"""How result tables are printed: the summary that ends a run, and the page of results."""
