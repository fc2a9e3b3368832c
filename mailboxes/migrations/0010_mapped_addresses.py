"""A server that listens on both protocols reports IPv4 clients as ::ffff:192.0.2.7: the same address for app passwords."""

import re
from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parents[1] / "sql"

[APP_LOGIN] = re.findall(r"CREATE FUNCTION mail\.app_login.*?\$\$;\n", (SQL / "app_login.sql").read_text(), re.DOTALL)
[LITERALLY] = re.findall(r"    BEGIN\n        client := nullif.*?    END;\n", APP_LOGIN, re.DOTALL)
REPLACED = APP_LOGIN.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")

CLIENT_OF = """
CREATE FUNCTION mail.client_of(ip text) RETURNS inet LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    client inet;
BEGIN
    client := nullif(ip, '');
    IF client <<= inet '::ffff:0.0.0.0/96' THEN
        RETURN inet '0.0.0.0' + (host(client)::inet - inet '::ffff:0.0.0.0');
    END IF;
    RETURN client;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION mail.client_of IS 'The address of a client, IPv4 as such where it was mapped into IPv6; NULL for what is no address.';
REVOKE EXECUTE ON FUNCTION mail.client_of FROM PUBLIC;
"""
APP_LOGIN_UNMAPPED = REPLACED.replace(LITERALLY, "    client := mail.client_of(from_ip);" + chr(10))
UNMAPPED = f"""
SET LOCAL ROLE mail_owner;
{CLIENT_OF}
{APP_LOGIN_UNMAPPED}
RESET ROLE;
"""
BACK = f"""
SET LOCAL ROLE mail_owner;
{REPLACED}
DROP FUNCTION mail.client_of(text);
RESET ROLE;
"""


class Migration(migrations.Migration):
    dependencies = [("mailboxes", "0009_search")]

    operations = [migrations.RunSQL(UNMAPPED, BACK)]
