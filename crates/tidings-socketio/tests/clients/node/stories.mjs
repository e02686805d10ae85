// Stories of socket.io-client against the chat example: ADMIN_PASSWORD=… node stories.mjs URL VERSION
import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { Person, ask, knowsRecovery, next } from "./person.mjs";

const version = process.argv[3];
const bytes = (length) => Buffer.from(Array.from({ length }, (_, index) => index % 256));

const stories = {
  async "auth failure"() {
    const [nameless] = await new Person("").hears("connect_error");
    deepEqual([nameless.message, nameless.data], ["A name has 1 to 32 bytes", { code: "name_invalid" }]);
    const alice = await Person.entered("alice");
    const [taken] = await new Person(alice.name).hears("connect_error");
    deepEqual(taken.data, { code: "name_taken" });
  },

  async "polling, then upgrade"() {
    const bob = await Person.entered("bob");
    const alice = await Person.entered("alice");
    // All through the upgrade, whenever it happens.
    for (let n = 0; n < 50; n++) alice.socket.emit("say", `${n}`);
    for (let n = 0; n < 50; n++) equal(await bob.hearsFrom(alice), `${n}`);
    if (alice.transport === "polling") await next(alice.socket.io.engine, "upgrade");
    equal(alice.transport, "websocket");
    await talk(alice, bob);
  },

  async "polling only"() {
    const options = { transports: ["polling"] };
    const [alice, bob] = [await Person.entered("alice", options), await Person.entered("bob", options)];
    await talk(alice, bob);
    equal(alice.transport, "polling");
  },

  async "websocket only"() {
    const options = { transports: ["websocket"] };
    const [alice, bob] = [await Person.entered("alice", options), await Person.entered("bob", options)];
    await talk(alice, bob);
    equal(alice.transport, "websocket");
  },

  async "acks both ways"() {
    const [alice, bob] = [await Person.entered("alice"), await Person.entered("bob")];
    const first = await alice.ask("say", "one");
    const second = await alice.ask("say", "two");
    ok(first.ok && second.ok && second.position > first.position);
    await rejects(ask(alice.socket, "an event that is never answered", null, 100), /timed out/);
    // Bob's client is asked, and does not answer; then it does, but with too little.
    deepEqual(await alice.ask("look", bob.name), { ok: false, code: "timeout" });
    bob.socket.on("look", (_, answer) => answer("no picture"));
    deepEqual(await alice.ask("look", bob.name), { ok: false, code: "picture_missing" });
  },

  "recovery over WebSocket": () => recovery(["websocket"]),

  "recovery over polling": () => recovery(["polling"]),

  async "namespaces"() {
    const [alice, bob] = [await Person.entered("alice"), await Person.entered("bob", { transports: ["polling"] })];
    const intruder = bob.admin({ password: "guessed" });
    const [error] = await next(intruder, "connect_error");
    deepEqual([error.message, error.data], ["That is not the password", { code: "password_wrong" }]);
    const [unknown] = await next(bob.join("/nowhere"), "connect_error");
    equal(unknown.message, "Invalid namespace");
    const admin = alice.admin();
    await next(admin, "connect");
    ok(admin.id !== alice.socket.id && admin.io.engine === alice.socket.io.engine);
    deepEqual(await ask(admin, "kick", bob.name), { ok: true });
    // Who was sent out stays away.
    deepEqual((await bob.hears("disconnect"))[0], "io server disconnect");
    deepEqual(await ask(admin, "kick", bob.name), { ok: false });
    equal(bob.socket.active, false);
    // One namespace goes, the other stays.
    admin.disconnect();
    ok((await alice.ask("say", "still here")).ok);
  },
};

/** Text, binary events and binary acknowledgements, each in both directions. */
async function talk(alice, bob) {
  ok((await alice.ask("say", "hi")).ok);
  equal(await bob.hearsFrom(alice), "hi");
  const picture = bytes(100_000);
  ok((await alice.ask("show", picture)).ok);
  for (;;) {
    const [shown] = await bob.hears("shown");
    if (shown.from !== alice.name) continue;
    deepEqual(shown.picture, picture);
    break;
  }
  bob.socket.on("look", ({ by }, answer) => answer(by === alice.name && bytes(1000)));
  deepEqual(await alice.ask("look", bob.name), { ok: true, picture: bytes(1000) });
}

/** The transport breaks under Bob, and Alice goes on. */
async function recovery(transports) {
  const bob = await Person.entered("bob", { transports });
  const alice = await Person.entered("alice", { transports });
  const admin = alice.admin();
  await next(admin, "connect");
  equal(bob.socket.recovered ?? false, false);
  await bob.hears("connect");
  await alice.ask("say", "before");
  // One transport carries both, in this order: Bob is cut off before it is said.
  admin.emit("cut", bob.name);
  await alice.ask("say", "meanwhile");
  deepEqual((await bob.hears("disconnect"))[0], "transport close");
  await bob.hears("connect");
  if (knowsRecovery) equal(bob.socket.recovered, true);
  const [{ recovered }] = await bob.hears("welcome");
  equal(recovered, true);
  await alice.ask("say", "after");
  const heard = [await bob.hearsFrom(alice), await bob.hearsFrom(alice), await bob.hearsFrom(alice)];
  deepEqual(heard, ["before", "meanwhile", "after"]);
}

for (const [name, story] of Object.entries(stories)) {
  try {
    await story();
    console.log(`ok      node ${version}: ${name}`);
  } catch (error) {
    process.exitCode = 1;
    console.log(`FAILED  node ${version}: ${name}\n${error.stack}`);
  }
  Person.closeAll();
}
