"""Geometry beside accuracy: effective dimension, neural collapse, features in superposition."""
