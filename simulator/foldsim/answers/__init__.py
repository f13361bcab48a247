"""Answers that take more than one evaluation: explanation, tipping points, comparison."""
