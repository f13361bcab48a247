"""Measurements: validation of predictions, error of the model, calibration of profiles."""
