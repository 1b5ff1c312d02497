"""The stages of the pipeline: each takes candidates and gives as many back."""
