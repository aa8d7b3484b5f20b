"""What the pages and the API of the trial show, each with a constant number of queries."""
