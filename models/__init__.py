"""What is stored. Imports nothing of ours outside this package."""
