"""The compiled network as a value."""
