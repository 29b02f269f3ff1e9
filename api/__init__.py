"""How it is asked: REST, receivers, command line."""
