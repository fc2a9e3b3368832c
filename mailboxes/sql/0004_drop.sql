DROP FUNCTION mail.password_of, mail.user_of, mail.access_of, mail.logins_of, mail.targets_of, mail.catch_all_of,
    mail.mailbox_of, mail.domain_of;
DROP VIEW mail.dovecot_passwords, mail.dovecot_users, mail.recipient_access, mail.deliveries, mail.sender_logins,
    mail.virtual_aliases, mail.virtual_mailboxes, mail.addresses, mail.virtual_domains;
DROP FUNCTION mail.refusal, mail.has_left;
REVOKE ALL ON mailboxes_domain, mailboxes_address, mailboxes_mailbox, mailboxes_alias, mailboxes_aliastarget,
    accounts_tenant, accounts_user, accounts_installation FROM mail_owner;
