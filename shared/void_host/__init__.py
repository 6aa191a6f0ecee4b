"""What hosts do alike: settings, the job they make, a removal from export to frames. Python 3.9; no host, no Qt."""
