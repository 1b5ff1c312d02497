"""Networks: denoisers, (fields, t, condition) -> fields, and those that predict from their layers."""
