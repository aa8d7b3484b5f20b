"""Pages of what leaves: exports, and printed sheets."""
