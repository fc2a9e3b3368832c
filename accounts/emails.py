"""E-mails to people: one function and one template each, plain text first, in the person's language."""

from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils.translation import override

from .models.outbox import OutboxMessage

# By KSC-Notice a forward without a copy keeps one of these; no notice of absence answers them.
HEADERS = {"KSC-Notice": "yes", "Auto-Submitted": "auto-generated"}


def deliver(to, subject, text, link=""):
    """Send one e-mail, as plain text and in the portal's look; the outbox calls this and tries again when it fails.

    Addresses in the text can be clicked on, unless a `link` is given: then it is the only one, below the text.
    """
    html = render_to_string("email.html", {"subject": subject, "text": text, "link": link})
    message = EmailMultiAlternatives(subject, f"{text}\n\n{link}" if link else text, None, [to], headers=HEADERS)
    message.attach_alternative(html, "text/html")
    message.send()


def written(person, name, **context) -> tuple[str, str]:
    """Subject and text in the person's language: `templates/emails/<name>.txt`, whose first line is the subject."""
    with override(person.portal_language or person.language):
        text = render_to_string(f"emails/{name}.txt", {"person": person, **context})
    subject, _, text = text.strip().partition("\n")
    return subject, text.strip()


def tell(person, name, *, at=None, **context):
    """Tell a person what happened to their account, in the e-mail of this name.

    Goes out with the transaction that made it necessary, `at` these addresses or wherever the person is reached.
    """
    subject, text = written(person, name, **context)
    for to in at or person.reached_at:
        OutboxMessage.objects.add(OutboxMessage.Kind.EMAIL, to=to, subject=subject, text=text)
