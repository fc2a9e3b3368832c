"""The migration operation that puts a table behind the second wall (accounts.wall); each tenant table gets it once."""

from django.db.migrations import RunSQL

MY_TENANT = "tenant_id = (SELECT accounts_shown_tenant())"
MY_PERSON = "EXISTS (SELECT FROM accounts_user person WHERE person.id = user_id)"
# Postfix and Dovecot serve everybody; what their roles may read at all is a matter of grants.
MAIL = "CREATE POLICY mail ON {table} TO {role} USING (true);"
EVERYBODYS = "(SELECT accounts_shows_all())"


def passing(condition: str) -> str:
    """True where the condition is, in words of which PostgreSQL expects that nearly all rows pass.

    It would take the bare condition for a filter that half the rows pass. After a join of five tables it would expect
    hardly any, and sort all rows of a large customer instead of reading a page of them in the order of an index.
    """
    return f"nullif({condition}, false) IS NOT NULL"


def walled(table: str, shown: str = MY_TENANT, *, mail: str = "") -> RunSQL:
    """Show a row where `shown` holds, and every row where everybody's are shown; `mail` names a role of mail servers.

    Holds for the table's owner too. Functions stand in subqueries: they are asked once a query, not once a row.
    """
    policy = f"CREATE POLICY wall ON {table} TO ksc_app, ksc_owner USING ({passing(f'{shown} OR {EVERYBODYS}')});"
    policies = [policy, MAIL.format(table=table, role=mail)] if mail else [policy]
    dropped = ["wall", "mail"] if mail else ["wall"]
    return RunSQL(
        [*policies, f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"],
        [
            f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY;",
            *(f"DROP POLICY {name} ON {table};" for name in dropped),
        ],
    )
