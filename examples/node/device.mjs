// A device on the command line: a whole Tidings client in one file, on the stock socket.io-client.
//
//   node device.mjs alice            everything you type is sent; /help tells the rest
//
// What every client does is marked with a number:
//   1. It makes an id for each message, and sends the same id again until it is acknowledged.
//   2. It drops what ends at or before its own position of a stream.
//   3. It keeps the last token (`next`), and resumes from it.
//   4. It gets a new access token when the old one has expired.

import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const SERVER = process.env.TIDINGS_URL ?? "http://127.0.0.1:3000";
const PASSWORD = "correct horse battery";
// Who has logged in from this directory: looking people up by name is not served yet.
const PEOPLE_FILE = process.env.TIDINGS_PEOPLE ?? "people.json";

const name = process.argv[2];
if (!name) {
  console.error("usage: node device.mjs NAME");
  process.exit(2);
}

let tokens; // access and refresh token
let me; // who we are
let since; // the last token that was taken (3)
let here; // the conversation that is being typed into
let last; // the last message that was sent, for /retry
let replayed; // messages of a replay, shown when it is whole
let wasOnline = false;
const positions = new Map(); // stream -> position (2)
const names = new Map(); // user id -> name
const outbox = []; // not acknowledged yet, oldest first (1)

// ---- REST -----------------------------------------------------------------------------------------------------

async function api(method, path, body) {
  const response = await fetch(SERVER + path, {
    method,
    headers: {
      ...(body && { "content-type": "application/json" }),
      ...(tokens && { authorization: `Bearer ${tokens.accessToken}` }),
    },
    body: body && JSON.stringify(body),
  });
  const answer = response.status === 204 ? {} : await response.json();
  if (!response.ok) throw Object.assign(new Error(answer.detail), { code: answer.code });
  return answer;
}

async function signIn() {
  try {
    return await api("POST", "/api/auth/register", { username: name, password: PASSWORD });
  } catch (error) {
    if (error.code !== "username_taken") throw error;
    return api("POST", "/api/auth/login", { login: name, password: PASSWORD, device: "command line" });
  }
}

// (4)
async function refresh() {
  tokens = await api("POST", "/api/auth/refresh", { refreshToken: tokens.refreshToken });
}

function people() {
  return existsSync(PEOPLE_FILE) ? JSON.parse(readFileSync(PEOPLE_FILE, "utf8")) : {};
}

function idOf(person) {
  const id = people()[person];
  if (!id) throw new Error(`${person} has not logged in from this directory.`);
  return id;
}

// ---- what is shown --------------------------------------------------------------------------------------------

function say(line) {
  console.log(line);
}

// Opens a conversation: by its event or by the answer to our own request, whichever comes first.
function enter(conversation) {
  if (here === conversation.id) return;
  for (const participant of conversation.participants) names.set(participant.userId, participant.user.displayName);
  here = conversation.id;
  const others = conversation.participants.map((participant) => participant.user.displayName);
  say(
    conversation.kind === "group"
      ? `Group "${conversation.title}": ${others.join(", ")}. Type to send.`
      : `You and ${others.find((other) => other !== name) ?? "yourself"}. Type to send.`,
  );
}

function show(message) {
  const line = `#${message.seq} ${names.get(message.senderId) ?? "somebody"}: ${message.content}`;
  if (replayed) replayed.push(line);
  else say(line);
}

// ---- the socket -----------------------------------------------------------------------------------------------

// A UUIDv7: ids that are made in order are stored in order.
function messageId() {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(Date.now(), 0, 6);
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

const socket = io(SERVER, {
  transports: ["websocket"],
  autoConnect: false,
  reconnectionDelay: 200,
  reconnectionDelayMax: 2000,
  // Asked at every connect: the present access token, and where to resume (3).
  auth: (give) => give({ token: tokens.accessToken, since }),
});

// Every durable event goes through here. Gives false for what the device has already (2).
function take(frame) {
  if (frame.next) since = frame.next;
  if (frame.pos <= (positions.get(frame.stream) ?? 0)) return false;
  positions.set(frame.stream, frame.pos);
  return true;
}

function on(event, handle) {
  socket.on(event, (frame) => take(frame) && handle(frame));
}

on("conversation:created", enter);
on("message:new", show);
on("participant:joined", (event) => {
  names.set(event.userId, event.user.displayName);
  say(`${event.user.displayName} joined.`);
});
on("participant:left", (event) => say(`${event.user.displayName} left.`));

socket.on("connect", () => {
  replayed = [];
});
socket.on("sync:page", (page) => {
  since = page.next;
});
socket.on("reset", () => positions.clear());
socket.on("ready", (ready) => {
  since = ready.next;
  const missed = replayed;
  replayed = undefined;
  if (wasOnline) say(`Missed while away: ${missed.length}`);
  missed.forEach(say);
  say(`${name} is online.`);
  wasOnline = true;
  flush();
});
socket.on("disconnect", (reason) => {
  if (reason !== "io client disconnect") say("Connection lost. Coming back by itself.");
});
socket.on("session:expired", comeBack);
socket.on("connect_error", (error) => error.data && comeBack(error.data));

// The server has sent us away with a reason: a new access token helps, or nothing does (4).
async function comeBack(denied) {
  if (denied.code !== "token_expired") {
    say(`The server says: ${denied.detail}`);
    process.exit(1);
  }
  await refresh();
  socket.disconnect().connect();
}

// Sends what is not acknowledged, in order (1).
let flushing = false;
async function flush() {
  if (flushing) return;
  flushing = true;
  try {
    while (outbox.length > 0 && socket.connected) {
      let ack;
      try {
        ack = await socket.timeout(5000).emitWithAck("message:send", outbox[0]);
      } catch {
        continue; // no answer: the same message again, under the same id
      }
      const sent = outbox.shift();
      if (ack.ok) last = { ...sent, seq: ack.message.seq };
      else say(`Not sent: ${ack.detail}`);
    }
  } finally {
    flushing = false;
  }
}

// ---- commands -------------------------------------------------------------------------------------------------

const commands = {
  async direct(person) {
    enter(await api("POST", "/api/conversations", { kind: "direct", userId: idOf(person) }));
  },
  async group(title, ...others) {
    enter(await api("POST", "/api/conversations", { kind: "group", title, userIds: others.map(idOf) }));
  },
  async history() {
    const page = await api("GET", `/api/conversations/${here}/messages?limit=20`);
    page.messages.forEach(show);
  },
  async retry() {
    const { seq, ...message } = last;
    const ack = await socket.timeout(5000).emitWithAck("message:send", message);
    say(`The server answered with #${ack.message.seq} again: sent once, however often it is tried.`);
    if (ack.message.seq !== seq) throw new Error("it should be the same message");
  },
  async offline() {
    socket.disconnect();
    say("Offline.");
  },
  async online() {
    socket.connect();
  },
  async help() {
    say("/direct NAME  /group TITLE NAME…  /history  /retry  /offline  /online  /quit");
  },
  async quit() {
    process.exit(0);
  },
};

async function typed(line) {
  if (line.startsWith("/")) {
    const [command, ...words] = line.slice(1).split(" ");
    if (!commands[command]) return commands.help();
    return commands[command](...words);
  }
  if (!line.trim()) return undefined;
  if (!here) throw new Error("Where to? Try /direct NAME.");
  outbox.push({ conversationId: here, clientMessageId: messageId(), content: line });
  return flush();
}

tokens = await signIn();
me = tokens.user;
names.set(me.id, me.displayName);
writeFileSync(PEOPLE_FILE, JSON.stringify({ ...people(), [name]: me.id }, null, 2));
socket.connect();
for await (const line of createInterface({ input: process.stdin })) {
  try {
    await typed(line);
  } catch (error) {
    say(error.message);
  }
}
