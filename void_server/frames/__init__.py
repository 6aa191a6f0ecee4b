"""Frames as float arrays and metadata: EXR, colour, mattes, geometry, composite. No torch, no sockets."""
