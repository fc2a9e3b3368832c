// Arrives with the security keys.
