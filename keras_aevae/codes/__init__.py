"""How an input is stored: what lies between an encoder's features and a decoder's input."""
