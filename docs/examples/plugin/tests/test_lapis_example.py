"""What the example does, tested by what Lapis offers to authors."""

import lapis_example
from lapis_example import mailbox
from lapis_plugins.testing import check_device, machine
from lapis_sessions.views import asked as requests

POST_AND_SPIN = bytes.fromhex("ba a0 05 b0 07 ee eb fe")
"""mov dx, 0x5A0; mov al, 7; out dx, al; jmp $"""


def test_the_mailbox_can_be_saved_and_put_back() -> None:
    check_device(mailbox.device)


def test_a_letter_rings_after_a_while() -> None:
    session = machine(lapis_example, guest=POST_AND_SPIN)
    session.run(100)
    assert session.execute("mailbox").result == {"letter": 7, "posted": 1}
    session.run(mailbox.DELAY)
    lines = [each.event for each in session.machine.log.last(20)]
    assert any(event.kind == "pin" for event in lines)


def test_the_lint_finds_the_second_ipi() -> None:
    session = machine(lapis_example)
    session.run()
    rows = {row["name"]: row for row in session.execute("lint").result}
    assert rows["chatty"]["found"] == 1


def test_a_request_at_the_mailbox_has_its_name_and_what_a_read_would_take() -> None:
    session = machine(lapis_example, guest=POST_AND_SPIN)
    session.execute("trap port 0x5a0")
    session.run(100)
    (asked,) = requests.take(session).asked
    assert (asked.place.device, asked.place.register) == ("mailbox", "LETTER")
    assert (asked.decoded, asked.own) == ("letter 0x07", 0xFF)
    session.execute("answer device")
    assert session.execute("mailbox").result == {"letter": 7, "posted": 1}
