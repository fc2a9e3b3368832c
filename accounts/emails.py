from django.core.mail import send_mail


def deliver(to, subject, text):
    """Send one plain text e-mail; the outbox calls this and tries again when it fails."""
    send_mail(subject, text, None, [to])
