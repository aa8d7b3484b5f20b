"""What the record says for each printed sheet."""
