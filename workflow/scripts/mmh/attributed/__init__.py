"""Attribution of prompts: gradients along trajectories, occlusion as the truth, scores of both."""
