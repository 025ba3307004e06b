"""The rules, one a file. A new file is found by itself: see "Add a rule" in DEVELOPERS.md."""
