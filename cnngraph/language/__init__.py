"""The language of specs: from YAML values to a `Spec`."""
