"""What can be wrong with what users hand to this package."""


class WorkloadError(ValueError):
    """A workload, trace or search cannot be used; the text names the place, the value and what is allowed."""


class TraceError(WorkloadError):
    """A work trace cannot be read, or does not fit what is asked of it."""
