"""The software version, stored with every computed value and every audit event."""

VERSION = "0.1.0"
