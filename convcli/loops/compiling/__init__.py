"""How loops become machine code, where that is kept, and how it is found again."""
