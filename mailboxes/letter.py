"""The printed Initialdaten: a letter after DIN 5008 form B for each person, as tagged PDF."""

from collections.abc import Iterable

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import override

from accounts.qr import dark_runs, matrix

from .letters import Initialdaten
from .sheet import LEFT, QUIET, VALUE_WIDTH, WIDTH, Sheet

# Millimetres.
ADDRESS_TOP, INFO_LEFT, SUBJECT_TOP = 45, 125, 98.5
QR_SIDE = 30
PASSWORD_SIZE = 15  # points
ALIASES_TOGETHER = 8


def render_letters(letters: Iterable[Initialdaten]) -> bytes:
    """One PDF with all letters, each in its person's language; its metadata names nobody."""
    letters = list(letters)
    document = LetterPDF("Initialdaten", letters[0].language, letters[0].issued_on)
    for letter in letters:
        with override(letter.language):
            document.write_letter(letter)
    return bytes(document.output())


class LetterPDF(Sheet):
    """Draws letters."""

    def write_letter(self, letter: Initialdaten):
        self.add_page()
        self._frame(letter.logo, letter.accent)
        self._address_field(letter)
        self.set_y(SUBJECT_TOP)
        subject = _("Your credentials for %(address)s") % {"address": letter.login_name}
        self._text(subject, size=12.5, bold=True, tag="/H1")
        self.ln(3)
        self._text(_("Hello %(name)s,") % {"name": letter.name} if letter.name else _("Hello,"))
        self._text(
            _(
                "here are the credentials for your mailbox. The initial password opens only the portal: log in there "
                "once and choose a password of your own. From that moment your mail program works with it."
            )
            if letter.area == "mailbox"
            else _("here are the credentials for your work in the portal. Log in and choose a password of your own.")
        )
        self.ln(3)
        self._credentials(letter)
        self.ln(4)
        self._steps(letter)
        self.ln(2)
        self._text(
            _("Keep this letter where nobody else can read it, and destroy it once you have changed the password. "
              "Nobody will ever ask you for your password, not by phone and not by e-mail."),
            size=9.5,
        )  # fmt: skip
        if letter.support:
            self._text(_("Questions? Our support helps: %(contact)s") % {"contact": letter.support}, size=9.5)

    def _address_field(self, letter: Initialdaten):
        self.set_y(ADDRESS_TOP + 11)
        self._line(letter.sender, 85, size=7, colour=QUIET)
        self.set_y(ADDRESS_TOP + 17.7)
        for line in (letter.sender, letter.name, letter.login_name):
            if line:
                self._line(line, 80)
        self.set_xy(INFO_LEFT, 50)
        self._line(_("Date: %(date)s") % {"date": date_format(letter.issued_on, "DATE_FORMAT")}, 65)

    def _credentials(self, letter: Initialdaten):
        """The framed block; the password is one word of its own, as it is to be typed."""
        self._row(_("E-mail address"), [letter.login_name])
        self._row(_("Initial password"), [letter.password], family="mono", size=self._password_size(letter.password))
        day, time = (date_format(letter.valid_until, form) for form in ("DATE_FORMAT", "TIME_FORMAT"))
        self._row(_("Valid until"), [_("%(day)s, %(time)s") % {"day": day, "time": time}])
        for start in range(0, len(letter.aliases), ALIASES_TOGETHER):
            label = _("Alias addresses") if start == 0 else ""
            self._row(label, letter.aliases[start : start + ALIASES_TOGETHER])

    def _password_size(self, password) -> float:
        """As large as fits on one line: a password that wraps could be typed with a break in it."""
        self.set_font("mono", "", PASSWORD_SIZE)
        return min(PASSWORD_SIZE, PASSWORD_SIZE * VALUE_WIDTH / max(self.get_string_width(password), 1))

    def _steps(self, letter: Initialdaten):
        area = {"mailbox": _("single mailbox"), "ksc": "KundenServiceCenter"}[letter.area]
        rule = (
            _("at least 25 characters, for example several unrelated words")
            if letter.rule == "passphrase"
            else _("at least 15 characters, with upper- and lower-case letters, digits and special characters")
        )
        steps = [
            _("Open %(url)s in your browser, or scan the code on the right with your phone.")
            % {"url": letter.portal_url},
            _("Enter your e-mail address and the initial password exactly as printed, with the hyphens."),
            _("Choose the login area “%(area)s” and press “Log in”.") % {"area": area},
            _("Type a new password twice and press “OK”. It needs %(rule)s.") % {"rule": rule},
        ]
        if letter.area == "mailbox":
            steps.append(
                _("Set up your mail program with the new password; the home page shows the server addresses.")
            )
        width = WIDTH - QR_SIDE - 8
        numbered = [f"{number}.  {step}" for number, step in enumerate(steps, 1)]
        # Heading, steps and code stay on one page.
        self._need(10 + max(QR_SIDE, sum(self._text_height(step, width) for step in numbered)))
        self._text(_("How to get started"), bold=True, tag="/H2")
        top = self.get_y()
        for step in numbered:
            self._text(step, width=width, tag="/LI")
        bottom = self.get_y()
        self._qr_code(letter.portal_url, LEFT + WIDTH - QR_SIDE, top + 1)
        self.set_y(max(bottom, top + QR_SIDE + 2))

    def _qr_code(self, url, left, top):
        """Squares instead of an image: sharp on every printer, with the quiet zone that scanners need."""
        rows = matrix(url)
        side = QR_SIDE / len(rows)
        with self._tagged("/Figure", alt=_("QR code with the portal's address: %(url)s") % {"url": url}):
            self.set_fill_color(0, 0, 0)
            for y, row in enumerate(rows):
                for x, length in dark_runs(row):
                    self.rect(left + x * side, top + y * side, length * side, side, style="F")
