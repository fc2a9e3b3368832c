"""A customer's logo: what was uploaded is looked at and drawn anew, so that nothing but pixels is ever served."""

import io

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from PIL import Image, UnidentifiedImageError

MAX_BYTES = 512 * 1024
MAX_SIDE = 4000  # pixels of the upload
BOX = (480, 120)  # pixels of what is kept: twice the size on the page
FORMATS = ("PNG", "JPEG", "WEBP")


def redrawn(upload) -> bytes:
    """The upload as a small PNG without metadata; ValidationError says what is wrong with it."""
    if upload.size > MAX_BYTES:
        raise ValidationError(_("The logo is larger than 512 KB. Please make it smaller."))
    try:
        with Image.open(io.BytesIO(upload.read()), formats=FORMATS) as image:
            if max(image.size) > MAX_SIDE:
                raise ValidationError(_("The logo has more than 4000 pixels on one side. Please make it smaller."))
            pixels = image.convert("RGBA")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValidationError(_("This is no PNG, JPEG or WebP picture. SVG is not taken.")) from error
    pixels.thumbnail(BOX)
    out = io.BytesIO()
    pixels.save(out, "PNG", optimize=True)
    return out.getvalue()
