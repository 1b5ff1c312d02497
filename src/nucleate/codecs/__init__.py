"""Codecs turn crystals into the tensors that diffuse, and back."""
