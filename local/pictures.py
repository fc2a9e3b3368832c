"""Takes the pictures of a running demo; apart, since only the development tools bring a browser's driver."""

import base64
import io
import json
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from django_otp.oath import hotp
from PIL import Image
from playwright.sync_api import Browser, Page, StorageState, sync_playwright

from local.folders import CHECKOUT
from local.report import say

HEADLESS = shutil.which("chromium-headless-shell")
HELP = CHECKOUT / "static" / "img" / "help"
README = CHECKOUT / "docs" / "images"
LOCALES = {"de": "de-DE", "en": "en-GB"}
HELP_SIZE, README_SIZE = (720, 780), (1200, 800)
DESK_SIZE, PHONE_SIZE = (1200, 900), (375, 812)
# What a picture's name ends with, its size, and the colours that are asked for.
LOOKS: tuple[tuple[str, tuple[int, int], Literal["light", "dark"]], ...] = (
    ("", DESK_SIZE, "light"),
    ("-dark", DESK_SIZE, "dark"),
    ("-phone", PHONE_SIZE, "light"),
)
# Pages of the desk, each with the link there that leads on to what is shown.
IN_LIST = "#result_list tbody th a"
DESK = (
    ("start", "/desk/", ""),
    ("list", "/desk/mailboxes/mailbox/", ""),
    ("departure", "/desk/mailboxes/mailbox/", IN_LIST),
    ("domain", "/desk/mailboxes/domain/", IN_LIST),
)
INITIAL, CHOSEN = "Max.Mustermann ist neu hier 7!", "Sieben-Zebras-9-singen"


def main(description: Path) -> None:
    demo = json.loads(description.read_text())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium-headless-shell"), args=["--no-sandbox", "--lang=de-DE"]
        )
        for language, locale in LOCALES.items():
            for name, page in help_pages(browser, demo, locale):
                save(page, HELP / f"{name}-{language}.webp")
        for name, role, path in (("portal", "user", "/"), ("desk", "dvb", "/desk/mailboxes/mailbox/")):
            page = window(browser, demo, LOCALES["de"], README_SIZE)
            log_in(page, account(demo, role=role, state="geändert"))
            if role == "dvb":
                add_app(page)
            page.goto(path)
            save(page, README / f"{name}.png")
        desk_pages(browser, page.context.storage_state(), demo["url"])
        browser.close()


def desk_pages(browser: Browser, logged_in: StorageState, url: str) -> None:
    """The pages of docs/desk.md by daylight, at night and on a phone, for the DVB who has just logged in."""
    for look, (width, height), scheme in LOOKS:
        context = browser.new_context(
            base_url=url,
            storage_state=logged_in,
            locale=LOCALES["de"],
            viewport={"width": width, "height": height},
            color_scheme=scheme,
        )
        page = context.new_page()
        for name, path, link in DESK:
            page.goto(path)
            if link:
                page.goto(page.locator(link).first.get_attribute("href") or "")
            if name == "departure":
                page.goto(page.url.replace("/change/", "/departure/"))
            save(page, README / f"desk-{name}{look}.webp", quality=60)
        context.close()


def help_pages(browser: Browser, demo: dict[str, Any], locale: str) -> Iterator[tuple[str, Page]]:
    """The help page's pictures: the login page, and the change of password half done."""
    page = window(browser, demo, locale, HELP_SIZE)
    page.goto("/anmelden/")
    page.fill("[name=auth-address]", "max.mustermann@musterdomain.de")
    page.fill("[name=auth-password]", INITIAL)
    page.locator("h1").scroll_into_view_if_needed()
    yield "login", page
    log_in(page, account(demo, role="user", state="angemeldet"))
    page.fill("[name=new_password]", CHOSEN)
    page.locator("[name=new_password]").evaluate("field => field.scrollIntoView({block: 'start'})")
    page.mouse.wheel(0, -60)
    yield "password", page


def window(browser: Browser, demo: dict[str, Any], locale: str, size: tuple[int, int]) -> Page:
    width, height = size
    return browser.new_page(
        base_url=demo["url"], locale=locale, viewport={"width": width, "height": height}, color_scheme="light"
    )


def account(demo: dict[str, Any], **wanted: str) -> dict[str, Any]:
    return next(row for row in demo["accounts"] if wanted.items() <= row.items())


def log_in(page: Page, person: dict[str, Any]) -> None:
    page.goto("/anmelden/")
    page.check(f"[value={'mailbox' if person['role'] == 'user' else 'ksc'}]")
    page.fill("[name=auth-address]", person["address"])
    page.fill("[name=auth-password]", person["password"])
    page.press("[name=auth-password]", "Enter")
    page.wait_for_url(lambda url: "/anmelden/" not in url)


def add_app(page: Page) -> None:
    """The authenticator app without which a DVB sees no page."""
    page.goto("/zwei-faktor/app/")
    key = page.locator(".key").inner_text().replace(" ", "")
    page.fill("[name=code]", f"{hotp(base64.b32decode(key), int(time.time()) // 30, 6):06}")
    page.press("[name=code]", "Enter")
    page.locator(".codes").wait_for()


def save(page: Page, path: Path, quality: int = 80) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    page.wait_for_load_state("networkidle")
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    if path.suffix == ".png":
        picture.quantize(128).save(path, optimize=True)
    else:
        picture.save(path, quality=quality, method=6)
    say(f"{path.relative_to(CHECKOUT)}: {path.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
