"""A night's work as other farm engines want it: pure text from `Work`, one module an engine."""
