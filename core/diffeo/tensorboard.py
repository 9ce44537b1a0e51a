"""TensorBoard logging through the run hooks."""
