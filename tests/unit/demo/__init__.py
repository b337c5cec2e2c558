"""The demo's own arithmetic."""
