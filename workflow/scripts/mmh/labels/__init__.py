"""Labels by people: the page, the files, the raters."""
