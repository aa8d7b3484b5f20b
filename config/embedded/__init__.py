"""PostgreSQL and the broker without a server of one's own: from wheels, on Unix sockets.

Neither Django nor anything of the product is imported here.
"""
