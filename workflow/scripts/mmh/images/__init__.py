"""Sets of real images, their lists and captions."""
