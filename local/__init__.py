"""What ./ksc runs on one machine: the private database, demo, test and gate. Sets the environment the portal reads."""
