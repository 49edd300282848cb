"""What people look at: drawings as text and as pictures. Arrays in, text or arrays out; the command line prints."""
