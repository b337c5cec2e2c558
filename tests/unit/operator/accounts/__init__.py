"""What decisions have cost, and what follows from it."""
