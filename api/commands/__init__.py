"""The command line: a noun a file."""
