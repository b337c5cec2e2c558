"""The Helm chart and the manifests, with the real helm on a real control plane."""
