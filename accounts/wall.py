"""The second wall, behind `visible_to`: whose rows PostgreSQL shows, whatever a query forgets to ask.

Row-level security compares each row's tenant with the connection's `app.tenant`: the id of one tenant, `*` for staff
and for the installation's own work, nothing for nobody.
"""

from contextlib import contextmanager
from contextvars import ContextVar
from weakref import WeakKeyDictionary

from django.db import DEFAULT_DB_ALIAS, connections
from psycopg import Connection
from psycopg.pq import TransactionStatus

NOBODY, EVERYBODY = "", "*"
SHOW = "SELECT set_config('app.tenant', %s, false)"

_shown: ContextVar[str] = ContextVar("shown", default=NOBODY)
# What each connection was told last: one that was given back in between is told again before anybody uses it.
_told: WeakKeyDictionary[Connection, str] = WeakKeyDictionary()


@contextmanager
def showing(whose: str):
    """Show these rows for a while: `User.reach`, `EVERYBODY` or `NOBODY`; what was shown before comes back."""
    before = _shown.get()
    show(whose)
    try:
        yield
    finally:
        show(before)


def everybody():
    """For what nobody's session asks: logins, links from e-mails, jobs. A test lists each place that needs it."""
    return showing(EVERYBODY)


def show(whose: str):
    """From now on in this request or job; `showing` around it takes it back."""
    if _shown.get() != whose:
        _shown.set(whose)
        _tell(whose)


def shows_nobody() -> bool:
    return _shown.get() == NOBODY


def found(whose: str):
    """The database has set it itself, as it does while it reads a session."""
    _shown.set(whose)
    _told[connections[DEFAULT_DB_ALIAS].connection] = whose


def _tell(whose: str):
    """Set it for the connection, not the transaction: the admin draws its pages after the view's has ended."""
    link: Connection | None = connections[DEFAULT_DB_ALIAS].connection
    # What was set in a transaction that has failed is undone with it.
    if link and link.info.transaction_status != TransactionStatus.INERROR:
        link.execute(SHOW, [whose])
        _told[link] = whose


def tell_connection(connection, **kwargs):
    """What comes out of the pool shows what is shown here, not what was shown where it comes from."""
    if connection.alias == DEFAULT_DB_ALIAS and _told.get(connection.connection, NOBODY) != _shown.get():
        _tell(_shown.get())
