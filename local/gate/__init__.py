"""Steps of ./ksc check that no tool brings; each prints its findings and exits with 1 when there are any."""
