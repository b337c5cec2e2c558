"""What people have ordered: pauses, pins, stops, known events, sleep."""
