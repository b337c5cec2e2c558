"""The parts of the operator's benchmark that need no cluster."""
