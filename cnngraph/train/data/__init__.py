"""Data sets: finding, reading and identifying images."""
