"""Measurements of a model in training: curvature and gradient noise."""
