"""What is done: the ledger, the vendors' clients, the steps of a sync."""
