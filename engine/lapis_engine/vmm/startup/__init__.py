"""From reset to running: how each profile starts its vCPUs."""
