"""Postfix, Dovecot and Rspamd for KSC: their configuration and a launcher that runs them by hand."""
