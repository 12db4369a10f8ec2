"""`tensec doctor`: is the trouble ours or the carrier's? Two independent SMPP implementations try the same thing."""

import sys
from dataclasses import dataclass
from typing import Annotated

from cyclopts import App, Parameter

from config.schema import Channel, Log
from gateway.cli.common import DEFAULT_CONFIG, ConfigPath, fail, read_config

app = App(name="doctor", help="Find out what is wrong.")
TIMEOUT_S = 10.0


@dataclass
class Finding:
    """How far one implementation came."""

    bound: bool = False
    submitted: bool = False
    detail: str = ""

    def __str__(self) -> str:
        how = "bound and submitted" if self.submitted else "bound, submit failed" if self.bound else "did not bind"
        return f"{how}{': ' if self.detail else ''}{self.detail}"


@app.command
def channel(
    name: Annotated[str, Parameter(help="A channel of the configuration.")],
    *,
    to: Annotated[str, Parameter(help="Number the test message goes to.")],
    sender: Annotated[str, Parameter(name="--from", help="Source address of the test message.")] = "",
    text: str = "tensec doctor",
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Bind to channel NAME and submit one message, through smpplib and through our own session, and compare.

    This sends a real message, twice at most. A running gateway may hold all binds the carrier allows: then both attempts say
    ESME_RALYBND; stop it or ask for one more bind.
    """
    found = next((one for one in read_config(config).channels if one.name == name), None)
    if found is None:
        fail(f"{config}: no channel is called {name!r}", 2)
    peer = _through_smpplib(found, to, sender, text)
    ours = _through_ours(found, to, sender, text)
    print(f"smpplib  {peer}")
    print(f"tensec   {ours}")
    print(verdict(peer, ours))
    sys.exit(0 if peer.submitted and ours.submitted else 1)


def verdict(peer: Finding, ours: Finding) -> str:
    """Whose trouble it is."""
    if ours.submitted and peer.submitted:
        return "Both work: the channel is fine."
    if ours.submitted:
        return "Ours works, smpplib does not: the carrier speaks an SMPP that smpplib does not take; the channel is fine."
    if peer.submitted or (peer.bound and not ours.bound):
        return "smpplib comes further than we do: the trouble is ours. Please report it with this output."
    if not peer.bound:
        return "Neither gets a bind: the trouble is the network, the credentials or the carrier. Show the carrier this output."
    return "Both bind and neither can submit: the carrier refuses the message. Ask it about the status above."


def _through_smpplib(channel: Channel, to: str, sender: str, text: str) -> Finding:
    import logging
    import ssl
    import warnings

    import smpplib.client
    import smpplib.consts
    import smpplib.exceptions

    logging.getLogger("smpplib").setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore", ResourceWarning)
    finding = Finding()
    context = None
    if channel.tls is not None:
        context = ssl.create_default_context(cafile=channel.tls.ca or None)
        if not channel.tls.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
    client = smpplib.client.Client(
        channel.host, channel.port, timeout=TIMEOUT_S, allow_unknown_opt_params=True, ssl_context=context
    )
    answers: list[int] = []
    client.set_message_sent_handler(lambda pdu: answers.append(int(pdu.status)))
    client.set_error_pdu_handler(lambda pdu: answers.append(int(pdu.status)))
    client.set_message_received_handler(lambda _pdu: None)
    bind = client.bind_transceiver if channel.bind == "transceiver" else client.bind_transmitter
    try:
        client.connect()
        bind(system_id=channel.system_id, password=channel.password.reveal(), system_type=channel.system_type)
        finding.bound = True
        client.send_message(
            source_addr_ton=5 if sender and not sender.isdigit() else 0,
            source_addr_npi=0,
            source_addr=sender,
            dest_addr_ton=1,
            dest_addr_npi=1,
            destination_addr=to.lstrip("+"),
            short_message=text.encode("ascii", "replace"),
            registered_delivery=0,
        )
        while not answers:
            client.read_once(auto_send_enquire_link=False)
        finding.submitted = answers[0] == 0
        finding.detail = "" if finding.submitted else smpplib.consts.DESCRIPTIONS.get(answers[0], f"status 0x{answers[0]:08x}")
    except (smpplib.exceptions.PDUError, smpplib.exceptions.ConnectionError, OSError) as error:
        finding.detail = " ".join(str(one) for one in error.args if isinstance(one, str | int)) or type(error).__name__
    except Exception as error:  # noqa: BLE001 - the library leaks struct.error and others; that is a finding too
        finding.detail = f"{type(error).__name__}: {error}"
    finally:
        _close(client)
    return finding


def _close(client: object) -> None:
    import contextlib

    with contextlib.suppress(Exception):
        client.unbind()  # type: ignore[attr-defined]
    with contextlib.suppress(Exception):
        client.disconnect()  # type: ignore[attr-defined]


def _through_ours(channel: Channel, to: str, sender: str, text: str) -> Finding:
    from gateway import log
    from gateway.core.probe import probe

    log.configure(Log(level="error"))  # the finding says it all
    finding = Finding()
    finding.bound, finding.submitted, finding.detail = probe(channel, to.lstrip("+"), sender, text, TIMEOUT_S)
    return finding
