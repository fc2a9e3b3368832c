"""A name server over real UDP and TCP, with zones that a test writes and answers that no decent server gives."""

import socketserver
import struct
import threading

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


def quoted(text: str | bytes) -> str:
    """A TXT value in the form of a zone file, cut into strings of 255 bytes, any byte allowed."""
    raw = text.encode() if isinstance(text, str) else text
    parts = [raw[start : start + 255] for start in range(0, len(raw), 255)] or [b""]
    return " ".join('"' + "".join(f"\\{byte:03d}" for byte in part) + '"' for part in parts)


class DnsServer:
    """Answers from `zone`, {(name, kind): [value in the form of a zone file]}; other names do not exist.

    `modes` names for a name how its answers are spoiled: servfail, refused, silent, garbage, cut (truncated, also over
    TCP), drips, other_id, loop (a CNAME to itself by way of another). `asked` holds each (name, kind, protocol).
    """

    def __init__(self):
        self.clear()
        self._let_go = threading.Event()

    def clear(self) -> None:
        self.zone: dict[tuple[str, str], list[str]] = {}
        self.modes: dict[str, str] = {}
        self.asked: list[tuple[str, str, str]] = []

    def txt(self, name: str, *values: str | bytes):
        self.zone[name, "TXT"] = [quoted(value) for value in values]

    def __enter__(self):
        self._servers = pair(self)
        self.address = "{}:{}".format(*self._servers[0].server_address[:2])
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_error):
        self._let_go.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def answer(self, wire: bytes, protocol: str) -> bytes | None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind, protocol))
        mode = self.modes.get(name, "")
        if mode in ("silent", "drips"):
            return None
        if mode == "garbage":
            return b"\x00\xff nonsense"
        response = dns.message.make_response(query, recursion_available=True)
        self.fill(response, question, name, kind, mode)
        if mode == "other_id":
            response.id ^= 1
        if mode == "cut":
            response.answer, response.flags = [], response.flags | dns.flags.TC
        wire = response.to_wire(max_size=65535)
        if protocol == "udp" and len(wire) > 512:
            response.answer, response.flags = [], response.flags | dns.flags.TC
            wire = response.to_wire()
        return wire

    def fill(self, response, question, name, kind, mode):
        values = self.zone.get((name, kind))
        if mode in ("servfail", "refused"):
            response.set_rcode(dns.rcode.from_text(mode))
        elif mode == "loop":
            there, back = f"{name}.", "other.example."
            response.answer = [
                dns.rrset.from_text(there, 60, "IN", "CNAME", back),
                dns.rrset.from_text(back, 60, "IN", "CNAME", there),
            ]
        elif values:
            response.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *values))
        elif not any(known == name for known, _kind in self.zone):
            response.set_rcode(dns.rcode.NXDOMAIN)

    def drip(self, sock):
        """A byte now and then, so that no single read takes long."""
        sock.sendall(struct.pack("!H", 60_000))
        while not self._let_go.wait(0.2):
            sock.sendall(b"X")


def handlers(service: DnsServer):
    class Udp(socketserver.BaseRequestHandler):
        def handle(self):
            wire, sock = self.request
            answer = service.answer(wire, "udp")
            if answer is not None:
                sock.sendto(answer, self.client_address)

    class Tcp(socketserver.BaseRequestHandler):
        def handle(self):
            length = struct.unpack("!H", self.request.recv(2))[0]
            answer = service.answer(self.request.recv(length), "tcp")
            if answer is None:
                return service.drip(self.request)
            return self.request.sendall(struct.pack("!H", len(answer)) + answer)

    return Udp, Tcp


class Quiet:
    allow_reuse_address = True
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Who asked may have gone, which is nothing to talk about."""


class UdpServer(Quiet, socketserver.ThreadingUDPServer):
    max_packet_size = 65535


class TcpServer(Quiet, socketserver.ThreadingTCPServer):
    request_queue_size = 64


def pair(service: DnsServer) -> tuple[UdpServer, TcpServer]:
    """Both protocols on one port: of a few free ones the first that the other protocol has free too."""
    udp_handler, tcp_handler = handlers(service)
    for _try in range(20):
        udp = UdpServer(("127.0.0.1", 0), udp_handler)
        try:
            return udp, TcpServer(udp.server_address, tcp_handler)
        except OSError:
            udp.server_close()
    raise OSError("no port is free for both protocols")
