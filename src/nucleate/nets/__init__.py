"""Networks. Each is a denoiser: (fields, t, condition) -> fields."""
