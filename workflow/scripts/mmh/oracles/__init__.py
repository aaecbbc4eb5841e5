"""Laws whose scores and dimensions are known exactly."""
