"""How the flows are served: deployments, workers, the Prefect plugin and the local stack."""
