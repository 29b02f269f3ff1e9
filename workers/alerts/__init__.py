"""Alerts: decided in PostgreSQL from what is stored, once until they change, sent through the ledger."""
