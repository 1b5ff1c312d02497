"""Elements, compositions and chemical checks."""
