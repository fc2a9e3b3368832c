DROP VIEW mail.dovecot_passwords, mail.dovecot_users, mail.recipient_access, mail.sender_logins, mail.virtual_aliases,
    mail.virtual_mailboxes, mail.addresses, mail.virtual_domains;
REVOKE ALL ON mailboxes_domain, mailboxes_address, mailboxes_mailbox, mailboxes_alias, accounts_tenant, accounts_user,
    accounts_installation FROM mail_owner;
