"""Workloads: layer descriptions lowered to ops, and transformations of them (folding)."""
