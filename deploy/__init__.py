"""What it takes to run Headrace somewhere; `deploy.grafana` writes the dashboards."""
