"""Reports that people read: pages of a run and of an evaluation."""
