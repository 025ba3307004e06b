"""Using finished runs: evaluation, prediction, comparison, localisation and feature maps.

Most modules here import PyTorch; `overview` does not.
"""
