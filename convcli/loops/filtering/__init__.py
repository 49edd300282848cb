"""Loops that filter: correlation by its several ways, and what is done with responses."""
