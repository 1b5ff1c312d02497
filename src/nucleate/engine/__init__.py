"""Executors: where stages run. The pipeline is given one and imports none."""
