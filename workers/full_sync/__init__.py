"""The full sync of a site: start, list, confirm, compare, push, finish: a file a step."""
