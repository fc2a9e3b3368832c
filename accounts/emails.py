from django.core.mail import send_mail
from django.template.loader import render_to_string


def deliver(to, subject, text):
    """Send one e-mail, as plain text and in the portal's look; the outbox calls this and tries again when it fails."""
    send_mail(
        subject, text, None, [to], html_message=render_to_string("email.html", {"subject": subject, "text": text})
    )
