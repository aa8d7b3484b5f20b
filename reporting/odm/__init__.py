"""ODM-XML 1.3.2 (CDISC): the forms of a trial, what was entered in them, and how it came about.

Two files: `snapshot.xml` holds what stands, `transactions.xml` every change with its audit record.
Both state the forms by protocol version, for a value keeps the version that it was entered under.
Nobody is named: a user is a number, which the audit trail of the site tells.
"""
