"""Alert rules and the dashboard, with the real promtool and Prometheus."""
