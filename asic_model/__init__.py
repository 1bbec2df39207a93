"""A virtual video-transcoding chip: exact in its streams, cycle-approximate in its time."""
