"""A Business Central that serves one company's items, and judges who asks."""
