"""What is told of it all: status, events, metrics, logs."""
