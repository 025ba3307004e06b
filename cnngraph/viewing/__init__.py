"""Showing a spec in a browser while it is edited: a page, a server on this machine, and the files to watch."""
