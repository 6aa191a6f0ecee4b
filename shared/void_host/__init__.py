"""What every host's plugin does alike: a removal from export to frames. Python 3.9 syntax; no host, no Qt."""
