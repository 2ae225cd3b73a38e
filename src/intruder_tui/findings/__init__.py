"""What is known of a pairing's matrices, and what follows from it: frozen values that views draw."""
