"""What is asked for: options and plain words, understood."""
