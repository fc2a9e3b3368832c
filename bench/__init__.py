"""What is measured and how: the portal and the mail look-ups beside the barest thing that does their kind of work."""
