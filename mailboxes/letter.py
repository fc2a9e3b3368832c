"""The printed Initialdaten: a letter after DIN 5008 form B for each person, as tagged PDF."""

import contextlib
import datetime
import unicodedata
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, cast

from django.utils.formats import date_format
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _
from fpdf import FPDF
from fpdf.prefs import ViewerPreferences

from accounts.colours import parsed
from accounts.qr import dark_runs, matrix

from .letters import Initialdaten

if TYPE_CHECKING:
    from fpdf.fonts import TTFFont

FONTS = Path(__file__).parent / "fonts"
FACES = (("sans", "", "DejaVuSans"), ("sans", "B", "DejaVuSans-Bold"), ("mono", "", "DejaVuSansMono"))

# Millimetres on A4, from DIN 5008 form B.
LEFT, RIGHT, BOTTOM = 25, 20, 282
WIDTH = 210 - LEFT - RIGHT
ADDRESS_TOP, INFO_LEFT, SUBJECT_TOP = 45, 125, 98.5
FOLDS, PUNCH = (105, 210), 148.5
QR_SIDE, VALUE_WIDTH = 30, 117
LOGO = (56, 14)  # width and height at most
PASSWORD_SIZE = 15  # points
ALIASES_TOGETHER = 8

HEADER, INK, QUIET, ACCENT, LINE = (207, 231, 248), (22, 35, 46), (74, 91, 105), (11, 95, 158), (180, 213, 236)


def render_letters(letters: Iterable[Initialdaten]) -> bytes:
    """One PDF with all letters, each in its person's language; its metadata names nobody."""
    letters = list(letters)
    document = LetterPDF(letters[0].language, letters[0].issued_on)
    for letter in letters:
        with override(letter.language):
            document.write_letter(letter)
    return bytes(document.output())


class LetterPDF(FPDF):
    """Draws letters; what people read is tagged in reading order, what only decorates is an artifact."""

    def __init__(self, language: str, issued_on: datetime.date):
        super().__init__(format="A4")
        self.set_auto_page_break(False)
        self.set_margins(LEFT, 20, RIGHT)
        for family, style, name in FACES:
            self.add_font(family, style, FONTS / f"{name}.ttf")
        self.set_lang(language)
        self.set_title("Initialdaten")
        self.viewer_preferences = ViewerPreferences(display_doc_title=True)
        self.set_creation_date(datetime.datetime.combine(issued_on, datetime.time(), datetime.UTC))

    def write_letter(self, letter: Initialdaten):
        self.add_page()
        self._frame(letter)
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

    def _frame(self, letter: Initialdaten):
        """Coloured head, fold marks and punch mark."""
        with self._artifact():
            self.set_fill_color(*HEADER)
            self.rect(0, 0, 210, 27, style="F")
            self.set_draw_color(*QUIET)
            self.set_line_width(0.2)
            for y in FOLDS:
                self.line(4, y, 8, y)
            self.line(4, PUNCH, 10, PUNCH)
            if letter.logo:
                self.image(
                    BytesIO(letter.logo), x=210 - RIGHT - LOGO[0], y=6.5, w=LOGO[0], h=LOGO[1], keep_aspect_ratio=True
                )
        self.set_y(10)
        self._text(
            "KundenServiceCenter", size=15, bold=True, colour=parsed(letter.accent) if letter.accent else ACCENT
        )

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

    def _row(self, label, values, *, family="sans", size=10):
        self.set_font(family, "", size)
        lines = [line for value in values for line in self._fitting(self._printable(value, family), VALUE_WIDTH + 1)]
        height = max(7, 0.55 * size * len(lines) + 2)
        self._need(height)
        top = self.get_y()
        with self._artifact():
            self.set_fill_color(240, 247, 253)
            self.rect(LEFT, top, WIDTH, height, style="F")
            self.set_fill_color(*ACCENT)
            self.rect(LEFT, top, 1, height, style="F")
        if label:
            self.set_xy(LEFT + 4, top + 1)
            self._line(label, 40, size=9.5, colour=QUIET)
        with self._tagged("/P"):
            self.set_font(family, "", size)
            self.set_text_color(*INK)
            for number, line in enumerate(lines):
                self.set_xy(LEFT + 44, top + 1 + number * 0.55 * size)
                self.cell(VALUE_WIDTH, 0.55 * size, line)
        self.set_xy(LEFT, top + height)

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

    def _text(self, text, *, size=10, bold=False, colour=INK, tag="/P", width=WIDTH):
        """A paragraph at the current height, on a new page where it does not fit."""
        self.set_font("sans", "B" if bold else "", size)
        lines = self._fitting(self._printable(text, "sans"), width)
        height = 0.5 * size
        self._need(height * len(lines))
        with self._tagged(tag):
            self.set_text_color(*colour)
            for line in lines:
                self.set_x(LEFT)
                self.cell(width, height, line, new_x="LMARGIN", new_y="NEXT")
        self.ln(1.2)

    def _text_height(self, text, width, size=10) -> float:
        self.set_font("sans", "", size)
        return 0.5 * size * len(self._fitting(self._printable(text, "sans"), width)) + 1.2

    def _line(self, text, width, *, size=10, colour=INK):
        """One line, cut where the field ends."""
        left = self.get_x()
        self.set_font("sans", "", size)
        text = self._printable(text, "sans")
        while text and self.get_string_width(text) > width:
            text = text[:-2] + "…" if len(text) > 2 else ""
        with self._tagged("/P"):
            self.set_text_color(*colour)
            self.cell(width, 0.48 * size, text, new_y="NEXT")
        self.set_x(left if left > LEFT else LEFT)

    def _fitting(self, text, width) -> list[str]:
        """The text in lines that fit; only a word that is too long by itself is broken inside."""
        lines, line = [], ""
        for word in text.split(" "):
            if line and self.get_string_width(f"{line} {word}") <= width:
                line = f"{line} {word}"
                continue
            if line:
                lines.append(line)
            while self.get_string_width(word) > width:
                cut = len(word)
                while cut > 1 and self.get_string_width(word[:cut]) > width:
                    cut -= 1
                lines.append(word[:cut])
                word = word[cut:]
            line = word
        return [*lines, line]

    def _printable(self, text, family) -> str:
        """Without control and direction marks; what the font has no glyph for becomes a replacement character."""
        known = cast("TTFFont", self.fonts[family]).cmap
        plain = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
        return "".join(c if ord(c) in known else "\ufffd" for c in plain)

    def _need(self, height):
        if self.get_y() + height > BOTTOM:
            self.add_page()
            self.set_y(20)

    @contextlib.contextmanager
    def _tagged(self, kind, alt=None) -> Iterator[None]:
        """Content with its place in the document's structure; fpdf2 itself tags figures only."""
        number = self.struct_builder.next_mcid_for_page(self.page)
        self._add_marked_content(struct_type=kind, mcid=number, alt_text=alt)
        # A letter beside others may be in another language than the document says.
        self._out(f"{kind} <</MCID {number} /Lang ({get_language()})>> BDC")
        yield
        self._out("EMC")

    @contextlib.contextmanager
    def _artifact(self) -> Iterator[None]:
        self._out("/Artifact BMC")
        yield
        self._out("EMC")
