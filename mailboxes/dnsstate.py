"""The records that a hosted domain should have for its mail, and what the DNS has instead."""

import re
from dataclasses import dataclass

from django.db.models import TextChoices
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import Installation

from .dnsrecords import Record
from .models import DkimKey, Domain
from .resolver import Answer, Trouble, ask_all, readable

# Longer than that nobody can enter it as one string, and then it is better written anew.
LONGEST_AMENDED = 255
NOT_ENTERED = _("Our support has not entered yet what belongs here. You need not do anything.")
NOT_THERE = _("There is no such record yet. Set what stands below.")
SEVERAL = _("There are several such records, and then none of them counts. Leave only one.")


class Verdict(TextChoices):
    OK = "ok", _("ok")
    MISSING = "missing", _("missing")
    WRONG = "wrong", _("wrong")
    UNKNOWN = "unknown", _("cannot be checked now")
    OFF = "off", _("not offered")

    @property
    def icon(self) -> str:
        return {"ok": "check", "unknown": "help", "off": "info"}.get(self.value, "alert")

    @property
    def notice(self) -> str:
        """The look of a notice that says it."""
        return {"ok": "success", "missing": "warning", "wrong": "error"}.get(self.value, "info")


Text = str | Promise
Judgement = tuple[Verdict, Text]
SILENCE: dict[Trouble | None, Judgement] = {
    Trouble.TIMEOUT: (
        Verdict.UNKNOWN,
        _("The name servers did not answer in time. Open this page again later."),
    ),
    Trouble.SERVFAIL: (
        Verdict.UNKNOWN,
        _("The name servers answered with an error. Have your DNS provider check the domain."),
    ),
    Trouble.BROKEN: (
        Verdict.UNKNOWN,
        _("The answer of the name servers cannot be read. Have your DNS provider check the domain."),
    ),
}


def tags(value: str) -> dict[str, str]:
    """The tags of a record like `v=DMARC1; p=none`, names in lower case."""
    pairs = (part.partition("=") for part in value.split(";"))
    return {name.strip().lower(): content.strip() for name, _sign, content in pairs if name.strip()}


class Part:
    """One kind of record: where it stands, what it should be, and what to think of what is there."""

    title: Text
    kind = "TXT"
    # How such a record begins; others under the same name are somebody else's.
    version = ""
    offered = True

    def __init__(self, domain: str, installation: Installation):
        self.domain, self.installation = domain, installation
        self.name = self.domain

    def is_mine(self, value: str) -> bool:
        return not self.version or re.split(r"[\s;]", value.lower(), maxsplit=1)[0] == self.version

    def judge(self, values: list[str]) -> Judgement:
        raise NotImplementedError

    def wanted(self, values: list[str]) -> list[Record]:
        """The records to set, where these are there."""
        raise NotImplementedError

    def judged(self, answer: Answer) -> "Check":
        """What to show; of records that may stand only once, several are wrong whatever they say."""
        values = [value for value in answer.values if self.is_mine(value)]
        if not self.offered:
            return Check(self.title, Verdict.OFF, NOT_ENTERED)
        if not values:
            verdict, note = SILENCE.get(answer.trouble, (Verdict.MISSING, NOT_THERE))
        elif len(values) > 1 and self.kind == "TXT":
            verdict, note = Verdict.WRONG, SEVERAL
        else:
            verdict, note = self.judge(values)
        return Check(self.title, verdict, note, [readable(value) for value in values], self.wanted(values))


@dataclass(frozen=True)
class Check:
    """One part of the page."""

    title: Text
    verdict: Verdict
    note: Text = ""
    found: list[str] | tuple = ()
    records: list[Record] | tuple = ()


class Mx(Part):
    title, kind = _("MX: who receives your mail"), "MX"

    @property
    def hosts(self) -> list[str]:
        return self.installation.mx_hosts.split()

    @property
    def offered(self):
        return bool(self.hosts)

    def judge(self, values):
        ours, found = set(self.hosts), set(values)
        if found == ours:
            return Verdict.OK, ""
        if not found & ours:
            return Verdict.WRONG, _("Mail for this domain goes to other servers and does not arrive here.")
        if found - ours:
            return Verdict.WRONG, _("Other servers receive mail for this domain as well. Remove their records.")
        return Verdict.WRONG, _("Not all of our servers are entered.")

    def wanted(self, values):
        return [Record(self.name, "MX", f"{10 * place} {host}.") for place, host in enumerate(self.hosts, 1)]


class Spf(Part):
    title, version = _("SPF: who may send in your name"), "v=spf1"

    @property
    def offered(self):
        return bool(self.installation.spf_include)

    def judge(self, values):
        terms = values[0].lower().split()[1:]
        if "all" in terms or "+all" in terms:
            return Verdict.WRONG, _("It lets everybody send in your name.")
        ours = self.installation.spf_include
        if {f"include:{ours}", f"+include:{ours}", f"redirect={ours}"} & set(terms):
            return Verdict.OK, ""
        return Verdict.WRONG, _("Our servers are not among those that may send. Replace the record by the one below.")

    def wanted(self, values):
        """Ours put first into what is there, so that other servers of the customer may go on sending."""
        include = f"include:{self.installation.spf_include}"
        kept = [] if len(values) != 1 or self.judge(values)[0] == Verdict.OK else values[0].split()[1:]
        value = " ".join(["v=spf1", include, *(term for term in kept if term.lower() not in ("all", "+all"))])
        plain = value.isascii() and value.isprintable() and len(value) <= LONGEST_AMENDED
        if not kept or not plain:
            value = f"v=spf1 {include} ~all"
        return [Record(self.name, "TXT", value)]


class Dkim(Part):
    def __init__(self, domain, installation, key: DkimKey):
        super().__init__(domain, installation)
        self.key, self.name = key, key.record_name

    @property
    def title(self):
        return _("DKIM: the key %(name)s") % {"name": self.key.selector}

    def judge(self, values):
        found = tags(values[0])
        if "".join(found.get("p", "").split()) != self.key.public:
            return Verdict.WRONG, _("Another key stands there. Compare the value to its very end.")
        if found.get("k", "rsa").lower() != self.key.algorithm:
            return Verdict.WRONG, _("The kind of key (k=) is not the one below.")
        return Verdict.OK, ""

    def wanted(self, values):
        return [Record(self.name, "TXT", self.key.record_value)]


class Dmarc(Part):
    title, version = _("DMARC: what others do with forgeries"), "v=dmarc1"

    def __init__(self, domain, installation):
        super().__init__(domain, installation)
        self.name = f"_dmarc.{domain}"

    def judge(self, values):
        policy = tags(values[0]).get("p", "").lower()
        if policy not in ("none", "quarantine", "reject"):
            return Verdict.WRONG, _("It does not say what to do (p=none, p=quarantine or p=reject).")
        if policy == "none":
            later = _("It only watches. Once SPF and DKIM have been right for some weeks, write p=quarantine instead.")
            return Verdict.OK, later
        return Verdict.OK, ""

    def wanted(self, values):
        return [Record(self.name, "TXT", "v=DMARC1; p=none")]


class MtaSts(Part):
    title, version = _("MTA-STS: delivery to us by encrypted connections alone"), "v=stsv1"

    def __init__(self, domain, installation):
        super().__init__(domain, installation)
        self.name = f"_mta-sts.{domain}"

    @property
    def offered(self):
        return bool(self.installation.mta_sts_host)

    def judge(self, values):
        if re.fullmatch(r"[A-Za-z0-9]{1,32}", tags(values[0]).get("id", "")):
            return Verdict.OK, ""
        return Verdict.WRONG, _("Its number (id=) is missing or not of letters and digits alone.")

    def wanted(self, values):
        number = f"v=STSv1; id={timezone.localdate():%Y%m%d}"
        policy = Record(f"mta-sts.{self.domain}", "CNAME", f"{self.installation.mta_sts_host}.")
        return [Record(self.name, "TXT", number), policy]


class TlsRpt(Part):
    title, version = _("TLS-RPT: reports on encrypted delivery"), "v=tlsrptv1"

    def __init__(self, domain, installation):
        super().__init__(domain, installation)
        self.name = f"_smtp._tls.{domain}"

    @property
    def offered(self):
        return bool(self.installation.tls_reports)

    def judge(self, values):
        if tags(values[0]).get("rua", "").lower().startswith(("mailto:", "https:")):
            return Verdict.OK, ""
        return Verdict.WRONG, _("It does not say where reports go (rua=mailto:…).")

    def wanted(self, values):
        return [Record(self.name, "TXT", f"v=TLSRPTv1; rua=mailto:{self.installation.tls_reports}")]


def state_of(domain: Domain) -> list[Check]:
    """All parts, looked up at the same time; the answer is there within five seconds."""
    installation = Installation.objects.current()
    keys = [Dkim(domain.name, installation, key) for key in domain.dkim_keys.select_related("domain")]
    parts = [
        *(Mx(domain.name, installation), Spf(domain.name, installation), *keys),
        *(kind(domain.name, installation) for kind in (Dmarc, MtaSts, TlsRpt)),
    ]
    asked = [part for part in parts if part.offered]
    answers = dict(zip(asked, ask_all([(f"{part.name}.", part.kind) for part in asked]), strict=True))
    return [part.judged(answers.get(part, Answer())) for part in parts]
