"""What is scaled: scale subresources, pods, how long they take, and why they do not come."""
