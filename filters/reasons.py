"""Rspamd's names of what it noticed about a message, in words for people who have never heard of Rspamd."""

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

LEARNED_SPAM = _("It resembles messages that were learned as spam.")
LEARNED_HAM = _("It resembles messages that were learned as wanted.")
KNOWN_SPAM = _("Nearly the same message is known as spam elsewhere.")
SENDER_PROVED = _("The sender's domain confirms that the message comes from there.")
SENDER_FORGED = _("The sender's domain says that the message does not come from there.")
SIGNATURE_BAD = _("The message's signature (DKIM) is wrong.")
SERVER_NOT_LISTED = _("The sending server is not one of those that the sender's domain names (SPF).")
SERVER_BAD_NAME = _("The sending server gives a name that is wrong or does not exist.")
SERVER_DIALUP = _("The sending server looks like a private connection, not like a mail server.")
SERVER_BLOCKED = _("The sending server is on a public block list.")
SERVER_BLOCKED_ON_THE_WAY = _("A server on the message's way is on a public block list.")
SERVER_TRUSTED = _("The sending server is on a public list of trustworthy senders.")
LINK_BLOCKED = _("It contains a link that is on a public block list.")
LINK_PHISHING = _("It contains a link that leads to a known fraud page.")
LINK_MALWARE = _("It contains a link that leads to harmful software.")
LINK_DISGUISED = _("It contains a link that leads elsewhere than it says.")
ATTACHMENT_BAD = _("It has an attachment of a kind that is often harmful.")
ATTACHMENT_DISGUISED = _("It has an attachment that pretends to be of another kind.")
ATTACHMENT_ENCRYPTED = _("It has an encrypted attachment, which cannot be checked.")
ATTACHMENT_GOOD = _("It is built as usual messages are.")
ADDRESS_BLOCKED = _("It contains an e-mail address that is on a public block list.")
BUILT_BADLY = _("The message is not built as the rules for e-mail demand.")
BUILT_BY_MASS_MAILER = _("The message was made by a program that is used for mass mail.")
HEADER_MISSING = _("Something is missing that every proper message has, such as date, recipient or message number.")
SENDER_DIFFERS = _("The sender that is shown differs from the one that the sending server gave.")
SENDER_DISGUISED = _("The sender's name pretends to be somebody else.")
SENDER_UNREACHABLE = _("The sender's domain does not exist or cannot receive mail.")
SENDER_FREE = _("The sender uses a free mail service in an unusual way.")
REPLY_ELSEWHERE = _("Replies would go to another address than the sender's.")
RECIPIENT_DIFFERS = _("Your address is not among the recipients that the message names.")
SUBJECT_LOUD = _("The subject is written like advertising, for example in capitals or with many signs.")
TEXT_IS_LINK = _("It consists of little more than a link or a picture.")
TEXT_HIDDEN = _("It hides text or is mostly made of code.")
TEXT_SCAM = _("Its text is typical of fraud with money.")
TEXT_DRUGS_OR_SEX = _("Its text is typical of advertising for medicines or sex.")
TEXT_THREAT = _("Its text is typical of extortion.")
LIST_MAIL = _("It comes from a mailing list or newsletter.")
BOUNCE = _("It is a notice about a message that could not be delivered.")
REPLY_TO_YOURS = _("It answers a message that was sent from here.")
KNOWN_CORRESPONDENT = _("The sender has a good reputation here.")
REPUTATION = _("The sender's behaviour so far speaks for this rating.")
WAY_ODD = _("The message's way through the Internet is unusual.")

SENTENCES = {
    "BAYES_SPAM": LEARNED_SPAM,
    "BAYES_HAM": LEARNED_HAM,
    "NEURAL_SPAM": LEARNED_SPAM,
    "NEURAL_HAM": LEARNED_HAM,
    "FUZZY_DENIED": KNOWN_SPAM,
    "FUZZY_PROB": KNOWN_SPAM,
    "FUZZY_UNKNOWN": KNOWN_SPAM,
    "FUZZY_WHITE": LEARNED_HAM,
    "GTUBE": _("It contains the text by which spam filters are tested."),
    "DMARC_POLICY_ALLOW": SENDER_PROVED,
    "DMARC_POLICY_ALLOW_WITH_FAILURES": SENDER_PROVED,
    "R_DKIM_ALLOW": SENDER_PROVED,
    "R_SPF_ALLOW": SENDER_PROVED,
    "ARC_ALLOW": SENDER_PROVED,
    "DMARC_POLICY_REJECT": SENDER_FORGED,
    "DMARC_POLICY_QUARANTINE": SENDER_FORGED,
    "DMARC_POLICY_SOFTFAIL": SENDER_FORGED,
    "AUTH_NA": _("Nothing confirms who sent the message."),
    "R_DKIM_REJECT": SIGNATURE_BAD,
    "R_DKIM_PERMFAIL": SIGNATURE_BAD,
    "ARC_REJECT": SIGNATURE_BAD,
    "R_SPF_FAIL": SERVER_NOT_LISTED,
    "R_SPF_SOFTFAIL": SERVER_NOT_LISTED,
    "R_SPF_PERMFAIL": _("The sender's domain says wrongly which servers send for it (SPF)."),
    "RDNS_NONE": SERVER_BAD_NAME,
    "HFILTER_HOSTNAME_UNKNOWN": SERVER_BAD_NAME,
    "RBL_SPAMHAUS_PBL": SERVER_DIALUP,
    "ONCE_RECEIVED": WAY_ODD,
    "ONCE_RECEIVED_STRICT": SERVER_DIALUP,
    "DIRECT_TO_MX": WAY_ODD,
    "PHISHING": LINK_DISGUISED,
    "PHISHED_OPENPHISH": LINK_PHISHING,
    "PHISHED_PHISHTANK": LINK_PHISHING,
    "HACKED_WP_PHISHING": LINK_PHISHING,
    "PH_SURBL_MULTI": LINK_PHISHING,
    "DBL_PHISH": LINK_PHISHING,
    "DBL_ABUSE_PHISH": LINK_PHISHING,
    "MW_SURBL_MULTI": LINK_MALWARE,
    "DBL_MALWARE": LINK_MALWARE,
    "DBL_BOTNET": LINK_MALWARE,
    "DBL_ABUSE_MALWARE": LINK_MALWARE,
    "ABUSE_SURBL": LINK_BLOCKED,
    "CRACKED_SURBL": LINK_BLOCKED,
    "RSPAMD_URIBL": LINK_BLOCKED,
    "RSPAMD_EMAILBL": ADDRESS_BLOCKED,
    "MSBL_EBL": ADDRESS_BLOCKED,
    "MIME_GOOD": ATTACHMENT_GOOD,
    "MIME_ENCRYPTED_ARCHIVE": ATTACHMENT_ENCRYPTED,
    "PDF_ENCRYPTED": ATTACHMENT_ENCRYPTED,
    "MIME_DOUBLE_BAD_EXTENSION": ATTACHMENT_DISGUISED,
    "MIME_BAD_UNICODE": ATTACHMENT_DISGUISED,
    "MIME_OBFUSCATED_ARCHIVE": ATTACHMENT_DISGUISED,
    "MIME_HEADER_CTYPE_ONLY": BUILT_BADLY,
    "MIME_HTML_ONLY": _("It has a formatted text but no plain one, as advertising often does."),
    "FORGED_SENDER": SENDER_DIFFERS,
    "FROM_NEQ_ENVFROM": SENDER_DIFFERS,
    "SPOOF_DISPLAY_NAME": SENDER_DISGUISED,
    "FROM_NEQ_DISPLAY_NAME": SENDER_DISGUISED,
    "SPOOF_REPLYTO": REPLY_ELSEWHERE,
    "FREEMAIL_REPLYTO_NEQ_FROM_DOM": REPLY_ELSEWHERE,
    "FORGED_RECIPIENTS": RECIPIENT_DIFFERS,
    "R_UNDISC_RCPT": RECIPIENT_DIFFERS,
    "R_MIXED_CHARSET": _("Beside plain letters it has umlauts, accents or letters of another alphabet."),
    "R_MIXED_CHARSET_URL": _("A link in it mixes letters of different alphabets, as it is done to deceive."),
    "R_PARTS_DIFFER": _("Its formatted text and its plain text say different things."),
    "R_EMPTY_IMAGE": TEXT_IS_LINK,
    "HFILTER_URL_ONLY": TEXT_IS_LINK,
    "HFILTER_URL_ONELINE": TEXT_IS_LINK,
    "HTML_SHORT_LINK_IMG_1": TEXT_IS_LINK,
    "ZERO_FONT": TEXT_HIDDEN,
    "MANY_INVISIBLE_PARTS": TEXT_HIDDEN,
    "R_WHITE_ON_WHITE": TEXT_HIDDEN,
    "LEAKED_PASSWORD_SCAM": TEXT_THREAT,
    "BITCOIN_ADDR": _("It contains the address of a Bitcoin account."),
    "INTRODUCTION": TEXT_SCAM,
    "ADVANCE_FEE_2": TEXT_SCAM,
    "ADVANCE_FEE_3": TEXT_SCAM,
    "DRUGS_ERECTILE": TEXT_DRUGS_OR_SEX,
    "MAILLIST": LIST_MAIL,
    "HAS_LIST_UNSUB": LIST_MAIL,
    "PRECEDENCE_BULK": LIST_MAIL,
    "BOUNCE": BOUNCE,
    "REPLY": REPLY_TO_YOURS,
    "MISSING_SUBJECT": HEADER_MISSING,
    "DATE_IN_FUTURE": _("The message's date is in the future."),
    "DATE_IN_PAST": _("The message's date is long past."),
    "SUSPICIOUS_RECIPS": _("Its recipients look as if their addresses had been tried out."),
    "TAGGED_RCPT": _("It is addressed to your address with an addition after a plus sign."),
}

# The first that the name begins with.
FAMILIES = {
    "RECEIVED_SPAMHAUS": SERVER_BLOCKED_ON_THE_WAY,
    "RECEIVED_BLOCKLISTDE": SERVER_BLOCKED_ON_THE_WAY,
    "RBL_SARBL": LINK_BLOCKED,
    "RBL_": SERVER_BLOCKED,
    "RCVD_IN_DNSWL": SERVER_TRUSTED,
    "DWL_DNSWL": SERVER_TRUSTED,
    "RWL_": SERVER_TRUSTED,
    "WHITELIST_": SENDER_PROVED,
    "BLACKLIST_": SENDER_FORGED,
    "DBL_": LINK_BLOCKED,
    "URIBL_": LINK_BLOCKED,
    "SEM_URIBL": LINK_BLOCKED,
    "SURBL_": LINK_BLOCKED,
    "PHISHED_": LINK_PHISHING,
    "FUZZY_": KNOWN_SPAM,
    "NEURAL_SPAM": LEARNED_SPAM,
    "NEURAL_HAM": LEARNED_HAM,
    "DMARC_": SENDER_FORGED,
    "HFILTER_HELO": SERVER_BAD_NAME,
    "HFILTER_HOSTNAME": SERVER_DIALUP,
    "HFILTER_FROMHOST": SENDER_UNREACHABLE,
    "HFILTER_MID": BUILT_BADLY,
    "MIME_BAD": ATTACHMENT_BAD,
    "MIME_EXE": ATTACHMENT_BAD,
    "MIME_ARCHIVE": ATTACHMENT_BAD,
    "PDF_": ATTACHMENT_BAD,
    "FORGED_MUA": BUILT_BY_MASS_MAILER,
    "FORGED_OUTLOOK": BUILT_BY_MASS_MAILER,
    "MISSING_": HEADER_MISSING,
    "INVALID_": BUILT_BADLY,
    "BROKEN_": BUILT_BADLY,
    "MID_": BUILT_BADLY,
    "CTYPE_": BUILT_BADLY,
    "SUBJ_": SUBJECT_LOUD,
    "SUBJECT_": SUBJECT_LOUD,
    "SPOOF_": SENDER_DISGUISED,
    "FREEMAIL_": SENDER_FREE,
    "FROM_": SENDER_DISGUISED,
    "REPLYTO_": REPLY_ELSEWHERE,
    "HTML_": TEXT_HIDDEN,
    "RCVD_": WAY_ODD,
    "SENDER_REP_": REPUTATION,
    "IP_REPUTATION_": REPUTATION,
    "IP_SCORE": REPUTATION,
    "GENERIC_REPUTATION": REPUTATION,
    "KNOWN_": KNOWN_CORRESPONDENT,
    "MX_": SENDER_UNREACHABLE,
}


def reason(symbol: str) -> str:
    """A sentence for what Rspamd noticed; one that names it where there is none."""
    known = SENTENCES.get(symbol) or next((told for start, told in FAMILIES.items() if symbol.startswith(start)), None)
    return str(known) if known else gettext("A rule of the spam filter applied: %(name)s") % {"name": symbol}


def reasons(symbols: list[str]) -> list[str]:
    """A sentence for each, but the same one once."""
    return list(dict.fromkeys(reason(symbol) for symbol in symbols))
