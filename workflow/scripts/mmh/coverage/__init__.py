"""How often intervals cover: simulations of every kind that the pipeline prints."""
