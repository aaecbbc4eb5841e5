"""Files and images from the network."""
