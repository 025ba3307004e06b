"""The language: a file's text to a Spec, and its expressions."""
