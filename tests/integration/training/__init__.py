"""What training leaves for the cluster, applied to a real one."""
