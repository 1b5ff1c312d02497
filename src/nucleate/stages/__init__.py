"""The stages of the pipeline. Each takes candidates and gives every one of them back."""
