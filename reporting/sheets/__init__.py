"""Printed sheets: what stands on each, apart from how it is read and typeset."""
