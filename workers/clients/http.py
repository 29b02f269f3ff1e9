"""One HTTP transport for all vendors: kept-alive sessions, deadlines, and every failure as a typed error."""
