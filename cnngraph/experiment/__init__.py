"""Running an experiment's plan, and comparing its runs in a report. Importing this does not load PyTorch."""
