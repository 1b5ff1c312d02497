"""The diffusion core: processes on named fields, the sampling and training loops, random streams."""
