"""The rules, one per file. New files are found automatically: see "Add a rule" in DEVELOPERS.md."""
