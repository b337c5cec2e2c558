"""Who else scales a workload: notice, give way, or assist."""
