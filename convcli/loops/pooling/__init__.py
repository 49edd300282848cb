"""Loops over the windows of pooling, with the gradients of its layers, and of morphology."""
