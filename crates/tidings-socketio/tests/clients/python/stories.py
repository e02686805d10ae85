"""Stories of python-socketio against the chat example: ADMIN_PASSWORD=… python stories.py URL"""

import asyncio
import os
import sys
import traceback
from functools import partial

from socketio.exceptions import ConnectionError, TimeoutError

from person import Person, close_all

PASSWORD = {"password": os.environ["ADMIN_PASSWORD"]}


async def auth_failure():
    nobody = Person("")
    await refusal(nobody.connect())
    data = await nobody.hears("connect_error")
    assert data == {"message": "A name has 1 to 32 bytes", "data": {"code": "name_invalid"}}, data
    alice = await Person.entered("alice")
    twin = Person(alice.name)
    await refusal(twin.connect())
    assert (await twin.hears("connect_error"))["data"] == {"code": "name_taken"}


async def polling_then_upgrade():
    # The library upgrades before it joins, so nothing else can be under way meanwhile.
    alice, bob = await Person.entered("alice"), await Person.entered("bob")
    assert alice.transport == "websocket", alice.transport
    await talk(alice, bob)


async def polling_only():
    alice, bob = [await Person.entered(name, transports=["polling"]) for name in ("alice", "bob")]
    await talk(alice, bob)
    assert alice.transport == "polling", alice.transport


async def websocket_only():
    alice, bob = [await Person.entered(name, transports=["websocket"]) for name in ("alice", "bob")]
    await talk(alice, bob)
    assert alice.transport == "websocket", alice.transport


async def acks_both_ways():
    alice, bob = await Person.entered("alice"), await Person.entered("bob")
    first, second = await alice.ask("say", "one"), await alice.ask("say", "two")
    assert first["ok"] and second["position"] > first["position"], (first, second)
    try:
        await alice.ask("an event that is never answered", timeout=0.1)
        raise AssertionError("it was answered")
    except TimeoutError:
        pass
    # Bob's client is asked, and does not answer; then it does, but with too little.
    answer = await alice.ask("look", bob.name)
    assert answer == {"ok": False, "code": "timeout"}, answer
    bob.look_answer = "no picture"
    answer = await alice.ask("look", bob.name)
    assert answer == {"ok": False, "code": "picture_missing"}, answer


async def recovery(transports):
    """The transport breaks under Bob, and Alice goes on."""
    bob = await Person.entered("bob", transports=transports)
    alice = await Person.entered("alice", ("/", "/admin"), transports, PASSWORD)
    await bob.hears("connect")
    await alice.ask("say", "before")
    # One transport carries both, in this order: Bob is cut off before it is said.
    await alice.client.emit("cut", bob.name, namespace="/admin")
    await alice.ask("say", "meanwhile")
    reason = await bob.hears("disconnect")
    if transports == ["polling"]:
        # The library takes Engine.IO's close for a farewell, and leaves it to us to come back: with a new client, as
        # the old one takes half a minute to find out that its queue stays empty.
        assert reason == "server disconnect", reason
        bob = bob.with_new_client()
        await bob.connect(transports=transports)
    else:
        assert reason == "transport error", reason
    await bob.hears("connect")
    [welcome, _position] = await bob.hears("welcome")
    assert welcome["recovered"], welcome
    await alice.ask("say", "after")
    heard = [(await bob.hears_from("said", alice))["text"] for _ in range(3)]
    assert heard == ["before", "meanwhile", "after"], heard


async def namespaces():
    bob = await Person.entered("bob")
    # Who may not enter one of the namespaces is told so, whatever the others say.
    intruder = Person(f"{bob.name} again")
    refused = {}
    for namespace in ("/admin", "/nowhere"):
        intruder.client.on("connect_error", partial(refused.__setitem__, namespace), namespace=namespace)
    await refusal(intruder.connect(["/", "/admin", "/nowhere"], auth={"password": "guessed"}))
    assert refused == {
        "/admin": {"message": "That is not the password", "data": {"code": "password_wrong"}},
        "/nowhere": {"message": "Invalid namespace"},
    }, refused
    alice = await Person.entered("alice", ("/", "/admin"), auth=PASSWORD)
    assert alice.client.get_sid("/admin") != alice.client.get_sid("/")
    assert await alice.ask("kick", bob.name, namespace="/admin") == {"ok": True}
    # Who was sent out stays away.
    reason = await bob.hears("disconnect")
    assert reason == bob.client.reason.SERVER_DISCONNECT, reason
    await bob.client.wait()
    assert await alice.ask("kick", bob.name, namespace="/admin") == {"ok": False}


async def talk(alice, bob):
    """Text, binary events and binary acknowledgements, each in both directions."""
    assert (await alice.ask("say", "hi"))["ok"]
    assert (await bob.hears_from("said", alice))["text"] == "hi"
    picture = bytes(n % 256 for n in range(100_000))
    assert (await alice.ask("show", picture))["ok"]
    assert (await bob.hears_from("shown", alice))["picture"] == picture
    bob.look_answer = picture[:1000]
    answer = await alice.ask("look", bob.name)
    assert answer == {"ok": True, "picture": picture[:1000]}, answer


async def refusal(connecting):
    try:
        await connecting
    except ConnectionError:
        return
    raise AssertionError("not refused")


STORIES = {
    "auth failure": auth_failure,
    "polling, then upgrade": polling_then_upgrade,
    "polling only": polling_only,
    "websocket only": websocket_only,
    "acks both ways": acks_both_ways,
    "recovery over WebSocket": lambda: recovery(["websocket"]),
    "recovery over polling": lambda: recovery(["polling"]),
    "namespaces": namespaces,
}


async def main():
    failed = 0
    for name, story in STORIES.items():
        try:
            await story()
            print(f"ok      python: {name}", flush=True)
        except Exception:
            failed = 1
            print(f"FAILED  python: {name}\n{traceback.format_exc()}", flush=True)
        await close_all()
    return failed


sys.exit(asyncio.run(main()))
