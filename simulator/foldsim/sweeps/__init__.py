"""Design spaces, the engine that evaluates them, and result tables."""
