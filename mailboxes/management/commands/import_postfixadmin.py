from mailboxes import postfixadmin
from mailboxes.move_commands import MoveCommand


class Command(MoveCommand):
    help = (
        "Take over domains of one customer from PostfixAdmin: mailboxes with their passwords, alias addresses and "
        "forwards. Without domains it lists those that there are. Try it with --dry-run first."
    )

    def add_arguments(self, parser):
        super().add_arguments(parser)
        parser.add_argument("--prefix", default="", help="PostfixAdmin's database_prefix, where it is set")

    def read(self, options):
        return postfixadmin.read(options["source"], options["prefix"])
