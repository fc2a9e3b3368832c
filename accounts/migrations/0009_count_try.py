"""One function counts tries, for the portal and for the mail servers; it knows a guess made twice."""

from django.db import migrations, models

# The row's lock makes tries on one counter wait for each other; a try that comes while the brake is on changes nothing.
COUNT_TRY = """
CREATE FUNCTION accounts_count_try(counter text, this_guess text, free int, first interval,
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
            WHEN brake.last_try < clock_timestamp() - forget OR brake.tries + 1 < free
                OR this_guess <> '' AND brake.guess = this_guess THEN clock_timestamp()
            ELSE clock_timestamp() + least(longest, first * power(2, least(brake.tries + 1 - free, 20)))
        END,
        guess = this_guess
    WHERE brake.blocked_until <= clock_timestamp();
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION accounts_count_try IS
    'Counts a try on a counter; false, and nothing changes, while its brake is on. Free tries pass at once, each one after that makes the next wait: first, doubled up to longest. A counter forgets after forget without a try; the guess of the last try (8 hex digits of a peppered digest, or empty) made again is not counted.';
REVOKE EXECUTE ON FUNCTION accounts_count_try FROM PUBLIC;
GRANT EXECUTE ON FUNCTION accounts_count_try TO ksc_app, mail_owner;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0008_factor_removal"),
    ]

    operations = [
        migrations.AddField(
            model_name="brake",
            name="guess",
            field=models.CharField(db_default="", default="", max_length=8),
        ),
        migrations.RunSQL(COUNT_TRY, "DROP FUNCTION accounts_count_try"),
    ]
