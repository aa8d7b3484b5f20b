from rest_framework.pagination import LimitOffsetPagination


class Pages(LimitOffsetPagination):
    """`?limit=` and `?offset=`; at most 500 rows an answer."""

    default_limit = 50
    max_limit = 500
