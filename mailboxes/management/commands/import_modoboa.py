from mailboxes import modoboa
from mailboxes.move_commands import MoveCommand


class Command(MoveCommand):
    help = (
        "Take over domains of one customer from Modoboa: mailboxes with their passwords, alias addresses and "
        "forwards. Without domains it lists those that there are. Try it with --dry-run first."
    )

    def read(self, options):
        return modoboa.read(options["source"])
