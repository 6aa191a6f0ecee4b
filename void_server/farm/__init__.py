"""A night's shots on a farm's engine: written, done segment by segment, finished, looked at."""
