"""Stand-in until the module of that name arrives."""


class OTPRefused(Exception):
    pass


class ServiceUnavailable(Exception):
    pass


def is_configured():
    return False


def public_id_of(text):
    return None


def touch(otp):
    raise ServiceUnavailable
