"""Codecs turn crystals and formulas into the tensors that diffuse, and back."""
