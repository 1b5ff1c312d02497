"""Networks: denoisers, which map (fields, t, condition) to fields, and networks that predict, made of the same
layers."""
