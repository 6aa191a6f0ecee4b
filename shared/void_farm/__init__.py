"""A night's removals as files that a farm's engine runs: plan, bundle, and the command that sends it."""
