"""Somebody in the chat, with python-socketio's asyncio client."""

import asyncio
import itertools
import sys

import socketio

PATIENCE_S = 5
everybody = []
numbers = itertools.count(1)


class Person:
    """The library knows no recovery: it is done by hand, with an `auth` that is asked for at every connect."""

    def __init__(self, name):
        self.auth = {"name": name}
        self.name = name
        self.heard = {}
        self.look_answer = None
        self.client = socketio.AsyncClient(reconnection_delay=0.1, randomization_factor=0)
        for event in ["connect", "connect_error", "disconnect", "look"]:
            self.client.on(event, getattr(self, f"_on_{event}"))
        self.client.on("*", self._on_any)
        everybody.append(self)

    @classmethod
    async def entered(cls, name, namespaces=("/",), transports=None, auth=None):
        person = cls(f"python {name} {next(numbers)}")
        await person.connect(namespaces, transports, auth)
        await person.hears("welcome")
        return person

    async def connect(self, namespaces=("/",), transports=None, auth=None):
        # One `auth` is shown to every namespace.
        self.auth.update(auth or {})
        await self.client.connect(
            sys.argv[1], auth=lambda: self.auth, namespaces=list(namespaces), transports=transports
        )

    def with_new_client(self):
        """The same person, with what they have heard, and know to show."""
        person = Person(self.name)
        person.auth, person.heard = self.auth, self.heard
        return person

    @property
    def transport(self):
        return self.client.transport()

    async def ask(self, event, argument=None, namespace="/", timeout=PATIENCE_S):
        return await self.client.call(event, argument, namespace=namespace, timeout=timeout)

    async def hears(self, event):
        """The arguments of the next event of that name."""
        return await asyncio.wait_for(self._line(event).get(), PATIENCE_S)

    async def hears_from(self, event, sender):
        """The next of that sender: what others say is let pass, the log of earlier stories for one."""
        while True:
            said, _position = await self.hears(event)
            if said["from"] == sender.name:
                return said

    def _line(self, event):
        return self.heard.setdefault(event, asyncio.Queue())

    async def _on_any(self, event, *args):
        self._line(event).put_nowait(args)
        if event == "welcome":
            self.auth["pid"] = args[0]["pid"]
        if isinstance(args[-1], str):
            self.auth["offset"] = args[-1]

    async def _on_connect(self):
        self._line("connect").put_nowait(())

    async def _on_connect_error(self, data):
        self._line("connect_error").put_nowait(data)

    async def _on_disconnect(self, reason):
        self._line("disconnect").put_nowait(reason)

    async def _on_look(self, by):
        if self.look_answer is None:
            await asyncio.sleep(PATIENCE_S)
        return self.look_answer


async def close_all():
    for person in everybody:
        await person.client.shutdown()
    everybody.clear()
