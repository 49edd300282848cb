"""One module per thing a user asks for: plain values in, a result dataclass out. No Click, no printing."""
