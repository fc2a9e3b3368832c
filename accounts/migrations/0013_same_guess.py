"""A guess that was let through before is let through again: mail programs open several connections at once.

Whoever asks learns nothing from the second answer, and the right password after a wait must not meet the brake that its
own first connection has just put on.
"""

from importlib import import_module

from django.db import migrations

SAME_GUESS = """
CREATE OR REPLACE FUNCTION accounts_count_try(counter text, this_guess text, free int, first interval,
    longest interval DEFAULT interval '15 minutes', forget interval DEFAULT interval '1 hour'
) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    INSERT INTO accounts_brake AS brake (key, tries, last_try, blocked_until, guess)
    VALUES (counter, 1, clock_timestamp(), clock_timestamp(), this_guess)
    ON CONFLICT (key) DO UPDATE SET
        tries = CASE
            WHEN brake.last_try < clock_timestamp() - forget THEN 1
            WHEN this_guess <> '' AND brake.guess = this_guess THEN brake.tries
            ELSE brake.tries + 1
        END,
        last_try = clock_timestamp(),
        blocked_until = CASE
            WHEN this_guess <> '' AND brake.guess = this_guess THEN greatest(brake.blocked_until, clock_timestamp())
            WHEN brake.last_try < clock_timestamp() - forget OR brake.tries + 1 < free THEN clock_timestamp()
            ELSE clock_timestamp() + least(longest, first * power(2, least(brake.tries + 1 - free, 20)))
        END,
        guess = this_guess
    WHERE brake.blocked_until <= clock_timestamp() OR this_guess <> '' AND brake.guess = this_guess;
    RETURN FOUND;
END
$$;
"""
BEFORE = import_module("accounts.migrations.0009_count_try").COUNT_TRY.partition("COMMENT ON")[0]


class Migration(migrations.Migration):
    dependencies = [("accounts", "0012_trail_addresses")]

    operations = [migrations.RunSQL(SAME_GUESS, BEFORE.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))]
