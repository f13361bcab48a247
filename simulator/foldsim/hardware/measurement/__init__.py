"""Builds a hardware profile of the machine it runs on from microbenchmarks: ``foldsim profile measure``."""
