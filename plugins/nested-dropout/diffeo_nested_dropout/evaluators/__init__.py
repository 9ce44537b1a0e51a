"""The evaluators of ordered latents, one a file."""
