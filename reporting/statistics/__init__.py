"""Statistics of tracer trials: pure, each result with its method, its n and what is missing."""
