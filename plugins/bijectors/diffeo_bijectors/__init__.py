"""The standard parts of a normalizing flow."""
