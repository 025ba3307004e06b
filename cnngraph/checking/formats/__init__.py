"""Reports as text: one file for each format, each a pure function from a report to what is printed."""
