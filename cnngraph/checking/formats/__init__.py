"""Output formats of a report: one module each, with a pure function."""
