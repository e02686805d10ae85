// Somebody in the chat, with socket.io-client of the version that the stories were started with.
const [, , url, version] = process.argv;
const { io } = await import(`socket.io-client-${version}`);

/** Since 4.6 the client keeps the recovery id and the offset by itself. */
export const knowsRecovery = version !== "4.5";

const PATIENCE_MS = 5000;
const password = process.env.ADMIN_PASSWORD;
const everybody = new Set();
let names = 0;

export class Person {
  #heard = {};
  #others = [];

  constructor(name, options) {
    this.name = name;
    this.socket = io(url, { forceNew: true, reconnectionDelay: 100, auth: { name }, ...options });
    for (const event of ["connect", "connect_error", "disconnect"]) {
      this.socket.on(event, (...args) => this.#hear(event, args));
    }
    this.socket.onAny((event, ...args) => this.#hear(event, args));
    if (!knowsRecovery) this.#recoverByHand();
    everybody.add(this);
  }

  static async entered(name, options) {
    const person = new Person(`node ${version} ${name} ${++names}`, options);
    await person.hears("welcome");
    return person;
  }

  static closeAll() {
    everybody.forEach((person) => [person.socket, ...person.#others].forEach((socket) => socket.disconnect()));
    everybody.clear();
  }

  get transport() {
    return this.socket.io.engine.transport.name;
  }

  /** The namespace `/admin`, over the same transport. */
  admin(auth = { password }) {
    return this.join("/admin", auth);
  }

  join(namespace, auth) {
    const socket = this.socket.io.socket(namespace, { auth });
    this.#others.push(socket);
    return socket;
  }

  ask(event, argument) {
    return ask(this.socket, event, argument);
  }

  /** The arguments of the next event of that name. */
  hears(event) {
    const line = this.#line(event);
    if (line.heard.length) return line.heard.shift();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${this.name} heard no ${event}`)), PATIENCE_MS);
      line.waiting.push((args) => { clearTimeout(timer); resolve(args); });
    });
  }

  /** The next text of that sender: what others say is let pass, the log of earlier stories for one. */
  async hearsFrom(sender) {
    for (;;) {
      const [{ from, text }] = await this.hears("said");
      if (from === sender.name) return text;
    }
  }

  #line(event) {
    return (this.#heard[event] ??= { heard: [], waiting: [] });
  }

  #hear(event, args) {
    const line = this.#line(event);
    const waiting = line.waiting.shift();
    if (waiting) waiting(args);
    else line.heard.push(args);
  }

  /** What newer clients do. */
  #recoverByHand() {
    this.socket.onAny((event, ...args) => {
      if (event === "welcome") this.socket.auth.pid = args[0].pid;
      if (typeof args.at(-1) === "string") this.socket.auth.offset = args.at(-1);
    });
  }
}

export function ask(socket, event, argument, timeoutMs = PATIENCE_MS) {
  return new Promise((resolve, reject) => {
    socket.timeout(timeoutMs).emit(event, argument, (error, answer) => (error ? reject(error) : resolve(answer)));
  });
}

export function next(socket, event) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${event}`)), PATIENCE_MS);
    socket.once(event, (...args) => { clearTimeout(timer); resolve(args); });
  });
}
