// A device on the command line: a whole Tidings client in one file, on the stock socket.io-client.
//
//   node device.mjs alice            everything you type is sent; /help tells the rest
//
// What every client does (docs/api.md says why) is marked with a number:
//   1. It makes an id for each message, and sends both again until they are acknowledged or refused for good.
//   2. It keeps a position for each stream, drops what ends at or before it, and fetches what is missing before a frame.
//   3. It keeps the last token (`next`) of what it has applied, and resumes from it.
//   4. It loads what is not replayed: conversations that were skipped, all after a reset, one that it has joined.
//   5. It shows a message once, by `seq`, in whichever way it came.
//   6. It gets new tokens when the old ones are refused, and waits when it is told to wait.

import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { io } from "socket.io-client";

const SERVER = process.env.DEVICE_SERVER ?? "http://127.0.0.1:3000";
const PASSWORD = "correct horse";
const PAUSE_MS = 1000; // where the server does not say how long
const PATIENCE_MS = 60_000; // who has to wait for longer is told so
const TRY_AGAIN = ["rate_limited", "overloaded", "outcome_unknown", "storage_full"];
const NEW_TOKENS = ["token_expired", "token_invalid", "token_missing", "session_ended"];

const name = process.argv[2];
if (!name) {
  console.error("usage: node device.mjs NAME");
  process.exit(2);
}

let tokens, me, limits; // of the session, who we are, the server's
let since; // the last token that was taken (3)
let cold = true; // nothing is loaded yet, or all has to be loaded anew (4)
let here; // the conversation that is being typed into
let watched; // the one of which we see who writes and who is here, after /look
let last; // the last message that was sent, for /retry
let held; // what a replay has to tell, until it is whole
let [wanted, online, away] = [true, false, true]; // not /offline, live, not live and the person knows
const positions = new Map(); // stream -> position (2)
const conversations = new Map(); // id -> { id, title, shown }: the last seq that was shown (5)
const names = new Map(); // user id -> name
const outbox = []; // not acknowledged yet, oldest first (1)

// ---- REST -----------------------------------------------------------------------------------------------------

// The server's no: a problem document, the ack of a refused message.
class Refused extends Error {
  constructor({ code, detail, errors, retryAfterMs }, status) {
    super(errors?.map((error) => `${error.pointer}: ${error.detail}`).join("; ") || detail || `status ${status}`);
    Object.assign(this, { code, retryAfterMs, status });
  }
}

async function request(method, path, body, key) {
  const response = await fetch(SERVER + path, {
    method,
    signal: AbortSignal.timeout(10_000),
    headers: {
      ...(body && { "content-type": "application/json", "idempotency-key": key }),
      ...(tokens && { authorization: `Bearer ${tokens.accessToken}` }),
    },
    body: body && JSON.stringify(body),
  });
  const text = await response.text();
  const answer = text ? JSON.parse(text) : {};
  if (!response.ok) throw new Refused(answer, response.status);
  return answer;
}

// The same request until it is answered, which its key makes safe; once more with new tokens (6).
async function api(method, path, body) {
  const key = randomUUID();
  let renewable = !path.startsWith("/api/auth/");
  for (let tries = 1; ; tries += 1) {
    const used = tokens?.accessToken;
    try {
      return await request(method, path, body, key);
    } catch (error) {
      if (renewable && NEW_TOKENS.includes(error.code)) {
        if (tokens.accessToken === used) await renew(error.code);
        renewable = false;
        continue;
      }
      const mayHelp = !(error instanceof Refused) || error.status >= 500 || error.status === 408 || TRY_AGAIN.includes(error.code);
      const pause = error.retryAfterMs ?? PAUSE_MS;
      if (!mayHelp || pause > PATIENCE_MS) throw error;
      if (error.code === "rate_limited") say(`${error.message} Trying again in ${Math.ceil(pause / 1000)} s.`);
      else if (tries === 3) say("The server does not answer. Trying on.");
      await sleep(pause);
    }
  }
}

async function signIn() {
  const login = { login: name, password: PASSWORD, device: "command line" };
  tokens = await api("POST", "/api/auth/register", { username: name, password: PASSWORD }).catch((error) => {
    if (error.code !== "username_taken") throw error;
    return api("POST", "/api/auth/login", login);
  });
  me = tokens.user;
  names.set(me.id, me.displayName);
}

async function refresh() {
  tokens = await api("POST", "/api/auth/refresh", { refreshToken: tokens.refreshToken });
}

// New tokens; by one refresh at a time, since a refresh token is used once (6).
let renewing;
function renew(code) {
  renewing ??= (code === "session_ended" ? signIn() : refresh().catch(signIn)).finally(() => (renewing = undefined));
  return renewing;
}

async function idOf(person) {
  const { users } = await api("GET", `/api/users?q=${encodeURIComponent(person)}&limit=1`); // that username comes first
  if (users[0]?.username !== person.toLowerCase()) throw new Error(`Nobody here is called ${person}.`);
  return users[0].id;
}

function idsOf(people) {
  return Promise.all(people.map(idOf));
}

// ---- what is shown --------------------------------------------------------------------------------------------

const say = console.log;

// What the streams tell: at once, or when the replay is whole.
function tell(line) {
  if (held) held.lines.push(line);
  else say(line);
}

// Takes a conversation as an event or an answer has it.
function know({ id, kind, title, participants, me: mine }) {
  for (const { userId, user } of participants) names.set(userId, user.displayName);
  const all = participants.map(({ user }) => user.displayName);
  const conversation = conversations.get(id) ?? { id, shown: (mine?.historyFromSeq ?? 1) - 1 };
  const other = all.find((person) => person !== me.displayName) ?? "yourself";
  conversation.title = kind === "group" ? `Group "${title}": ${all.join(", ")}` : `You and ${other}`;
  conversations.set(id, conversation);
  return conversation;
}

// Opens a conversation: by its event or by the answer to our own request, whichever comes first.
function enter(conversation) {
  if (here === conversation) return;
  here = conversation;
  tell(`${conversation.title}. Type to send.`);
}

async function nameOf(userId) {
  if (!names.has(userId)) names.set(userId, (await api("GET", `/api/users/${userId}`)).displayName);
  return names.get(userId);
}

async function line({ seq, senderId, content, version, deletedBy, reactions }) {
  const text = deletedBy ? "(deleted)" : content + (version > 1 ? " (edited)" : "");
  return `#${seq} ${await nameOf(senderId)}: ${text}${reactions.map(({ emoji, count }) => ` ${emoji} ${count}`).join("")}`;
}

async function show(message) {
  if (!conversations.has(message.conversationId)) await load(message.conversationId);
  const conversation = conversations.get(message.conversationId);
  if (message.seq <= conversation.shown) return; // (5)
  conversation.shown = message.seq;
  if (held) held.messages += 1;
  tell((conversation === here ? "" : `[${conversation.title}] `) + (await line(message)));
}

// Whether something happened to a message that is on the screen: all others are as they are now when they are loaded.
function isShown({ conversationId, seq }) {
  return seq <= (conversations.get(conversationId)?.shown ?? 0);
}

// ---- loading (4) ----------------------------------------------------------------------------------------------

function history(conversation, query) {
  return api("GET", `/api/conversations/${conversation.id}/messages?limit=200${query}`);
}

// A conversation and what was not shown of it, oldest first.
async function load(id) {
  const isNew = !conversations.has(id);
  const conversation = know(await api("GET", `/api/conversations/${id}`));
  if (isNew) enter(conversation);
  for (let page; page?.hasMoreAfter ?? true; ) {
    page = await history(conversation, `&after=${conversation.shown}`);
    for (const message of page.messages) await show(message);
  }
}

// All conversations as they stand. At the start nothing of them is shown; after a reset, what was not shown.
async function loadAll(first) {
  for (let cursor = ""; cursor !== null; ) {
    const page = await api("GET", `/api/conversations?limit=100${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    for (const { pos, lastSeq, ...listed } of page.conversations) {
      const conversation = know(listed);
      positions.set(`conversation:${listed.id}`, pos);
      // Less than was shown: the server has been set back.
      conversation.shown = first ? lastSeq : Math.min(conversation.shown, lastSeq);
      if (!here) enter(conversation);
      if (conversation.shown < lastSeq) await load(listed.id);
    }
    cursor = page.nextCursor;
  }
}

// ---- what arrives ---------------------------------------------------------------------------------------------

// All of it is taken in the order in which it came: while something is loaded, the rest waits.
let work = Promise.resolve();
function inOrder(job) {
  work = work.then(job).catch((error) => say(error.message));
}

async function take(event, frame, isFilling = false) {
  if (cold) return; // it will be in what is loaded
  const { stream, pos, span, next } = frame;
  const position = positions.get(stream);
  const begins = position === undefined || (event === "participant:joined" && frame.userId === me.id);
  if (!begins && !isFilling && pos - span > position) await fill(stream); // (2)
  if (pos > (positions.get(stream) ?? 0)) {
    positions.set(stream, pos);
    await events[event]?.(frame);
  }
  if (next) since = next; // (3)
}

async function fill(stream) {
  for (let page; page?.hasMore ?? true; ) {
    const after = positions.get(stream);
    page = await api("GET", `/api/sync?stream=${encodeURIComponent(stream)}&after=${after}`);
    for (const frame of page.events) await take(frame.event, frame, true);
  }
}

const events = {
  "conversation:created": (conversation) => enter(know(conversation)),
  "message:new": show,
  async "message:edited"(message) {
    if (isShown(message)) tell(`Edited: ${await line(message)}`);
  },
  async "message:deleted"(event) {
    if (isShown(event)) tell(`Deleted: #${event.seq}, by ${await nameOf(event.deletedBy)}.`);
  },
  "reaction:added": (event) => isShown(event) && tell(`On #${event.seq}: ${event.emoji} ${event.count}`),
  "reaction:removed": (event) => isShown(event) && tell(`On #${event.seq}: ${event.emoji} ${event.count}`),
  "reactions:changed"(event) {
    const all = event.reactions.map(({ emoji, count }) => `${emoji} ${count}`).join(" ");
    if (isShown(event)) tell(`On #${event.seq}: ${all || "nothing any more"}`);
  },
  async "participant:joined"(event) {
    names.set(event.userId, event.user.displayName);
    if (event.userId === me.id) await load(event.conversationId);
    else tell(`${event.user.displayName} joined.`);
  },
  "participant:left": (event) => tell(`${event.user.displayName} left.`),
  "participant:updated": (event) => tell(`${event.user.displayName} is ${event.role} now.`),
  // Signals: of this moment only. They have no stream, and what is missed is over.
  "typing:start": async ({ userId }) => say(`${await nameOf(userId)} is writing…`),
  "typing:stop": async ({ userId }) => say(`${await nameOf(userId)} has stopped writing.`),
  "presence:changed": async ({ userId, status }) => say(`${await nameOf(userId)} is ${status}.`),
  "presence:counted": ({ onlineCount }) => say(`${onlineCount} are here.`),
  "signals:missed": () => watched && look(),
  async "sync:page"({ skipped, next }) {
    for (const { stream, pos } of cold ? [] : skipped) {
      const [kind, id] = stream.split(":");
      if (kind === "conversation") await load(id).catch((error) => tell(error.message));
      positions.set(stream, pos);
    }
    since = next;
  },
  reset({ next }) {
    positions.clear();
    cold = true;
    since = next;
  },
  async ready({ next, connectionId }) {
    const first = since === undefined;
    since = next;
    if (cold) await loadAll(first);
    cold = false;
    if (connectionId !== socket.id) return; // gone meanwhile: the next one goes on
    const { lines, messages } = held;
    held = undefined;
    if (away && !first) say(`Missed while away: ${messages}`);
    for (const missed of lines) say(missed);
    if (away) say(`${name} is online.`);
    [online, away, refusals] = [true, false, 0];
    started();
    flush();
    if (watched) await look(); // a new connection has nothing open
  },
};

// ---- the socket -----------------------------------------------------------------------------------------------

const socket = io(SERVER, {
  transports: ["websocket"],
  autoConnect: false,
  reconnectionDelay: 200,
  reconnectionDelayMax: 2000,
  // Asked at every connect: the present access token, and where to resume (3).
  auth: (give) => give({ token: tokens.accessToken, since }),
});

let ended; // why the server ends the connection
socket.on("session:expired", (why) => (ended = why));
socket.on("connect", () => inOrder(() => (held ??= { lines: [], messages: 0 })));
socket.onAny((event, body) => inOrder(() => (body?.stream ? take(event, body) : events[event]?.(body))));
socket.on("disconnect", (reason) => {
  online = false;
  if (reason === "io server disconnect") comeBack(ended ?? { retryAfterMs: PAUSE_MS });
  else if (reason !== "io client disconnect") {
    away = true;
    say("Connection lost. Coming back by itself.");
  }
});
socket.on("connect_error", (error) => error.data && comeBack(error.data));

// The server has sent us away, and the stock client does not come back by itself (6).
let refusals = 0; // of tokens, in a row
async function comeBack({ code, detail, retryAfterMs }) {
  try {
    if (NEW_TOKENS.includes(code)) {
      // Refreshed ones help. If not, those of a new login, with longer and longer pauses.
      await sleep(Math.min(refusals * PAUSE_MS, 30_000));
      await renew(refusals++ === 0 ? code : "session_ended");
    } else if (retryAfterMs) {
      if (detail) say(`${detail} Trying again.`);
      await sleep(retryAfterMs);
    } else throw new Error(`The server says: ${detail}`);
    if (wanted) socket.connect();
  } catch (error) {
    away = true;
    say(`${error.message} /online tries again.`);
    started();
  }
}

// A UUIDv7: ids that are made in order are stored in order.
function messageId() {
  const now = Date.now().toString(16).padStart(12, "0");
  return `${now.slice(0, 8)}-${now.slice(8)}-7${randomUUID().slice(15)}`;
}

function send(message) {
  return socket.timeout(5000).emitWithAck("message:send", message);
}

// Sends what is not acknowledged, in order, one at a time (1).
let sending;
function flush() {
  if (online && outbox.length > 0) sending ??= sendAll();
}

async function sendAll() {
  while (online && outbox.length > 0) {
    const ack = await send(outbox[0]).catch(() => undefined);
    if (!ack) continue; // no answer: the same message again, under the same id
    if (!ack.ok && TRY_AGAIN.includes(ack.code)) {
      await sleep(ack.retryAfterMs ?? PAUSE_MS);
      continue;
    }
    const sent = outbox.shift();
    if (ack.ok) last = { sent, seq: ack.message.seq };
    else say(`Not sent: ${new Refused(ack).message}`);
  }
  sending = undefined;
}

function signal(name, body) {
  return socket.timeout(5000).emitWithAck(name, body).then((ack) => {
    if (!ack.ok) throw new Refused(ack);
    return ack;
  });
}

async function look() {
  const { presence, onlineCount } = await signal("conversation:open", { conversationId: watched.id });
  const people = await Promise.all(presence.map(async ({ userId, status }) => `${await nameOf(userId)} is ${status}`));
  say(`Here: ${onlineCount}. ${people.sort().join(", ")}`);
}

// ---- commands -------------------------------------------------------------------------------------------------

const commands = {
  async direct(person) {
    enter(know(await api("POST", "/api/conversations", { kind: "direct", userId: await idOf(person) })));
  },
  async group(title, ...others) {
    enter(know(await api("POST", "/api/conversations", { kind: "group", title, userIds: await idsOf(others) })));
  },
  async add(...others) {
    await api("POST", `/api/conversations/${placeToType().id}/participants`, { userIds: await idsOf(others) });
  },
  async leave() {
    await api("POST", `/api/conversations/${placeToType().id}/leave`);
    here = undefined;
  },
  async look() {
    if (watched) await signal("conversation:close", { conversationId: watched.id });
    watched = placeToType();
    await look();
  },
  typing: () => signal("typing:start", { conversationId: watched?.id ?? "" }),
  away: () => signal("presence:set", { status: "away" }),
  back: () => signal("presence:set", { status: "online" }),
  async history() {
    for (const message of (await history(placeToType(), "")).messages) say(await line(message));
  },
  async edit(seq, ...words) {
    await api("PATCH", `/api/messages/${await idAt(seq)}`, { content: words.join(" ") });
  },
  async delete(seq) {
    await api("DELETE", `/api/messages/${await idAt(seq)}`);
  },
  async react(seq, emoji = "👍") {
    await api("POST", `/api/messages/${await idAt(seq)}/reactions`, { emoji });
  },
  async unreact(seq, emoji = "👍") {
    await api("DELETE", `/api/messages/${await idAt(seq)}/reactions/${encodeURIComponent(emoji)}`);
  },
  async retry() {
    await sending;
    if (!last || !online) throw new Error(last ? "We are offline." : "Nothing was sent yet.");
    const { message } = await send(last.sent);
    say(`The server answered with #${message.seq} again: sent once, however often it is tried.`);
    if (message.seq !== last.seq) throw new Error("it should be the same message");
  },
  offline() {
    [wanted, away] = [false, true];
    socket.disconnect();
    say("Offline.");
  },
  online() {
    [wanted, refusals] = [true, 0];
    socket.connect();
  },
  help() {
    say("/direct NAME  /group TITLE NAME…  /history  /edit NUMBER TEXT  /delete NUMBER  /react NUMBER EMOJI");
    say("/unreact NUMBER EMOJI  /add NAME…  /leave  /look  /typing  /away  /back  /retry  /offline  /online  /quit");
  },
  quit: () => process.exit(0),
};

function placeToType() {
  if (!here) throw new Error("Where to? Try /direct NAME.");
  return here;
}

async function idAt(seq) {
  if (!online) throw new Error("We are offline.");
  const number = Number(String(seq).replace("#", ""));
  const { messages } = await history(placeToType(), `&around=${number || 0}`);
  const found = messages.find((message) => message.seq === number);
  if (!found) throw new Error("Which message? Say its number.");
  return found.id;
}

async function typed(text) {
  if (text.startsWith("/")) {
    const [command, ...words] = text.slice(1).split(" ");
    return (Object.hasOwn(commands, command) ? commands[command] : commands.help)(...words);
  }
  if (!text.trim()) return;
  // The server would close the connection, and again each time that it came.
  if (Buffer.byteLength(text) > limits.content_bytes_max) throw new Error("Not sent: too long.");
  outbox.push({ conversationId: placeToType().id, clientMessageId: messageId(), content: text });
  flush();
}

try {
  ({ limits } = await request("GET", "/api/server"));
  await signIn();
} catch (error) {
  const isThere = error instanceof Refused;
  console.error(isThere ? error.message : `No server at ${SERVER}. Start it with "make run", or set DEVICE_SERVER.`);
  process.exit(1);
}
let started;
const start = new Promise((resolve) => (started = resolve));
socket.connect();
await start; // what is typed until then waits
for await (const text of createInterface({ input: process.stdin })) {
  await typed(text).catch((error) => say(error.message));
}
