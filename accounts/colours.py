"""A customer's accent colour: one choice, from which readable shades for light and dark pages follow."""

import re

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

HEX = re.compile(r"#[0-9a-f]{6}")
READABLE = 4.5  # WCAG 2.2, 1.4.3: contrast of text with what lies below it
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
# What tokens.css has in the dark: --surface, and the darkest ink on buttons.
DARK_SURFACE, DARK_INK = (24, 34, 43), (15, 22, 28)

Colour = tuple[int, int, int]


def parsed(text: str) -> Colour:
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def as_hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def mixed(colour: Colour, other: Colour, share: float) -> Colour:
    """A colour with a share (0 to 1) of another one."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue


def luminance(colour: Colour) -> float:
    """Relative luminance after WCAG 2.2, from 0 to 1."""
    red, green, blue = map(linear, colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def linear(value: int) -> float:
    """One sRGB channel as light, from 0 to 1."""
    share = value / 255
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4


def contrast(one: Colour, other: Colour) -> float:
    """Contrast ratio after WCAG 2.2, from 1 to 21."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def readable(colour: Colour, ground: Colour, towards: Colour) -> Colour:
    """The colour, moved towards another one as far as text in it needs on this ground."""
    steps = (mixed(colour, towards, step / 50) for step in range(51))
    return next(step for step in steps if contrast(step, ground) >= READABLE)


def validate_accent(text: str):
    """Refuse what is no colour, and colours too pale for white pages; the message names the nearest that is not."""
    if not HEX.fullmatch(text):
        raise ValidationError(_("A colour is # and six characters 0–9 or a–f, for example #0b5f9e."))
    colour = parsed(text)
    if contrast(colour, WHITE) < READABLE:
        raise ValidationError(
            _("This colour is too pale to be read on white. The nearest that can be read is %(colour)s."),
            params={"colour": as_hex(readable(colour, WHITE, BLACK))},
        )


def shades(text: str) -> dict[str, dict[str, str]]:
    """Values of the custom properties of tokens.css for light and for dark pages."""
    accent = parsed(text)
    soft, dark_soft = mixed(accent, WHITE, 0.88), mixed(DARK_SURFACE, accent, 0.2)
    bright = readable(readable(accent, dark_soft, WHITE), DARK_SURFACE, WHITE)
    return {
        "light": _named(accent, readable(mixed(accent, BLACK, 0.2), soft, BLACK), soft, WHITE),
        "dark": _named(bright, mixed(bright, WHITE, 0.3), dark_soft, DARK_INK),
    }


def _named(accent: Colour, strong: Colour, soft: Colour, on_accent: Colour) -> dict[str, str]:
    return {
        "accent": as_hex(accent),
        "accent-strong": as_hex(strong),
        "accent-soft": as_hex(soft),
        "on-accent": as_hex(on_accent),
    }
