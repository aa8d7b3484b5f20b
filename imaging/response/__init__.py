"""Response to treatment by published scales; each scale is a pure function with a reason."""
