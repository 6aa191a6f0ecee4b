"""The engines: tensors in, tensors out. No EXR, no sockets."""
