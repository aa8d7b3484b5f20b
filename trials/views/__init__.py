"""Pages of the trial, by what they are about."""
