"""Where load comes from: generators, traces and recorded history."""
