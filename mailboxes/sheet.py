"""A4 sheets that the portal prints, in its look and as tagged PDF: what letters and certificates are made of."""

import contextlib
import datetime
import unicodedata
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, cast

from django.utils.translation import get_language
from fpdf import FPDF
from fpdf.prefs import ViewerPreferences

from accounts.colours import parsed

if TYPE_CHECKING:
    from fpdf.fonts import TTFFont

FONTS = Path(__file__).parent / "fonts"
FACES = (("sans", "", "DejaVuSans"), ("sans", "B", "DejaVuSans-Bold"), ("mono", "", "DejaVuSansMono"))

# Millimetres on A4, from DIN 5008 form B.
LEFT, RIGHT, BOTTOM = 25, 20, 282
WIDTH = 210 - LEFT - RIGHT
FOLDS, PUNCH = (105, 210), 148.5
VALUE_WIDTH = 117
LOGO = (56, 14)  # width and height at most

HEADER, INK, QUIET, ACCENT, LINE = (207, 231, 248), (22, 35, 46), (74, 91, 105), (11, 95, 158), (180, 213, 236)


class Sheet(FPDF):
    """Draws pages; what people read is tagged in reading order, what only decorates is an artifact."""

    def __init__(self, title: str, language: str, issued_on: datetime.date):
        super().__init__(format="A4")
        self.set_auto_page_break(False)
        self.set_margins(LEFT, 20, RIGHT)
        for family, style, name in FACES:
            self.add_font(family, style, FONTS / f"{name}.ttf")
        self.set_lang(language)
        self.set_title(title)
        self.viewer_preferences = ViewerPreferences(display_doc_title=True)
        self.set_creation_date(datetime.datetime.combine(issued_on, datetime.time(), datetime.UTC))

    def _frame(self, logo: bytes, accent: str):
        """Coloured head, fold marks and punch mark; `logo` is a PNG or empty, `accent` a colour or empty."""
        with self._artifact():
            self.set_fill_color(*HEADER)
            self.rect(0, 0, 210, 27, style="F")
            self.set_draw_color(*QUIET)
            self.set_line_width(0.2)
            for y in FOLDS:
                self.line(4, y, 8, y)
            self.line(4, PUNCH, 10, PUNCH)
            if logo:
                self.image(BytesIO(logo), x=210 - RIGHT - LOGO[0], y=6.5, w=LOGO[0], h=LOGO[1], keep_aspect_ratio=True)
        self.set_y(10)
        self._text("KundenServiceCenter", size=15, bold=True, colour=parsed(accent) if accent else ACCENT)

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
