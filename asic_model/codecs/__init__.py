"""Video codecs: what a standard defines and both directions share."""
