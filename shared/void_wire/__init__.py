"""What both sides say to each other: messages, their bytes, and the client. No pixels, no torch, no Qt."""
