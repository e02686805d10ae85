// Stories of io.socket:socket.io-client against the chat example: ADMIN_PASSWORD=… java -cp 'LIB/*' Stories.java URL

import io.socket.client.Ack;
import io.socket.client.AckWithTimeout;
import io.socket.client.IO;
import io.socket.client.Manager;
import io.socket.client.Socket;
import io.socket.engineio.client.Transport;
import io.socket.engineio.parser.Packet;
import java.net.URI;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import okhttp3.OkHttpClient;
import okhttp3.Response;
import okhttp3.WebSocket;
import okhttp3.WebSocketListener;
import okio.ByteString;
import org.json.JSONObject;

final class Stories {
    static final long PATIENCE_MS = 5000;
    static final String[] POLLING = {"polling"}, WEBSOCKET = {"websocket"}, BOTH = {"polling", "websocket"};

    static String url;
    static int names;
    static final List<Person> everybody = new ArrayList<>();

    interface Story {
        void tell() throws Exception;
    }

    static void authFailure() throws Exception {
        JSONObject nameless = (JSONObject) new Person("", BOTH).hears("connect_error")[0];
        equal(nameless.getString("message"), "A name has 1 to 32 bytes");
        equal(nameless.getJSONObject("data").getString("code"), "name_invalid");
        Person alice = Person.entered("alice", BOTH);
        JSONObject taken = (JSONObject) new Person(alice.name, BOTH).hears("connect_error")[0];
        equal(taken.getJSONObject("data").getString("code"), "name_taken");
    }

    static void pollingThenUpgrade() throws Exception {
        Person bob = Person.entered("bob", BOTH);
        Person alice = Person.entered("alice", BOTH);
        // All through the upgrade, whenever it happens.
        for (int n = 0; n < 50; n++) alice.socket.emit("say", "" + n);
        for (int n = 0; n < 50; n++) equal(bob.hearsFrom("said", alice).getString("text"), "" + n);
        for (int n = 0; n < 1000 && alice.line("message by websocket").isEmpty(); n++) alice.ask("say", "more");
        // Not one message need have come by polling: the upgrade may be done before the first.
        alice.hears("open by polling");
        alice.hears("message by websocket");
        talk(alice, bob);
    }

    static void over(String[] transports) throws Exception {
        Person alice = Person.entered("alice", transports);
        talk(alice, Person.entered("bob", transports));
        alice.hears("message by " + transports[0]);
    }

    static void acksBothWays() throws Exception {
        Person alice = Person.entered("alice", BOTH);
        Person bob = Person.entered("bob", BOTH);
        JSONObject first = alice.ask("say", "one"), second = alice.ask("say", "two");
        equal(first.getBoolean("ok") && second.getInt("position") > first.getInt("position"), true);
        CompletableFuture<Boolean> isLate = new CompletableFuture<>();
        alice.socket.emit("an event that is never answered", new Object[] {""}, new AckWithTimeout(100) {
            @Override
            public void onSuccess(Object... args) {
                isLate.complete(false);
            }

            @Override
            public void onTimeout() {
                isLate.complete(true);
            }
        });
        equal(isLate.get(PATIENCE_MS, TimeUnit.MILLISECONDS), true);
        // Bob's client is asked, and does not answer; then it does, but with too little.
        equal(alice.ask("look", bob.name).getString("code"), "timeout");
        bob.answersLookWith("no picture");
        equal(alice.ask("look", bob.name).getString("code"), "picture_missing");
    }

    /** The transport breaks under Bob, and Alice goes on. */
    static void recovery(String[] transports) throws Exception {
        Person bob = Person.entered("bob", transports);
        Person alice = Person.entered("alice", transports);
        Socket admin = alice.admin(System.getenv("ADMIN_PASSWORD"));
        bob.hears("connect");
        alice.ask("say", "before");
        admin.emit("cut", bob.name);
        alice.ask("say", "meanwhile");
        equal(bob.hears("disconnect")[0], "transport close");
        bob.hears("connect");
        equal(((JSONObject) bob.hears("welcome")[0]).getBoolean("recovered"), true);
        alice.ask("say", "after");
        for (String expected : List.of("before", "meanwhile", "after")) {
            equal(bob.hearsFrom("said", alice).getString("text"), expected);
        }
    }

    static void namespaces() throws Exception {
        Person alice = Person.entered("alice", BOTH);
        Person bob = Person.entered("bob", BOTH);
        JSONObject error = (JSONObject) next(bob.join("/admin", Map.of("password", "guessed")), "connect_error");
        equal(error.getString("message"), "That is not the password");
        equal(error.getJSONObject("data").getString("code"), "password_wrong");
        JSONObject unknown = (JSONObject) next(bob.join("/nowhere", Map.of()), "connect_error");
        equal(unknown.getString("message"), "Invalid namespace");
        Socket admin = alice.admin(System.getenv("ADMIN_PASSWORD"));
        equal(admin.id().equals(alice.socket.id()), false);
        equal(ask(admin, "kick", bob.name).getBoolean("ok"), true);
        // Who was sent out stays away.
        equal(bob.hears("disconnect")[0], "io server disconnect");
        equal(ask(admin, "kick", bob.name).getBoolean("ok"), false);
        equal(bob.socket.isActive(), false);
        // One namespace goes, the other stays.
        admin.disconnect();
        equal(alice.ask("say", "still here").getBoolean("ok"), true);
    }

    /** Text, binary events and binary acknowledgements, each in both directions. */
    static void talk(Person alice, Person bob) throws Exception {
        equal(alice.ask("say", "hi").getBoolean("ok"), true);
        equal(bob.hearsFrom("said", alice).getString("text"), "hi");
        byte[] picture = new byte[100_000];
        for (int n = 0; n < picture.length; n++) picture[n] = (byte) n;
        equal(alice.ask("show", picture).getBoolean("ok"), true);
        equal(Arrays.equals((byte[]) bob.hearsFrom("shown", alice).get("picture"), picture), true);
        byte[] face = Arrays.copyOf(picture, 1000);
        bob.answersLookWith(face);
        equal(Arrays.equals((byte[]) alice.ask("look", bob.name).get("picture"), face), true);
    }

    /** Somebody in the chat. The library knows no recovery: it is done by hand, in the `auth` of the next connect. */
    static final class Person {
        final String name;
        final Socket socket;
        final Map<String, String> auth = new HashMap<>();
        final List<Socket> others = new ArrayList<>();
        final Map<String, BlockingQueue<Object[]>> heard = new ConcurrentHashMap<>();

        Person(String name, String[] transports) throws Exception {
            this.name = name;
            auth.put("name", name);
            IO.Options options = IO.Options.builder()
                .setForceNew(true).setReconnectionDelay(100).setTransports(transports).setAuth(auth).build();
            OkHttpClient http = new OkHttpClient.Builder().readTimeout(1, TimeUnit.MINUTES).build();
            options.callFactory = http;
            options.webSocketFactory = (request, library) -> http.newWebSocket(request, new Answering(library));
            Manager manager = new Manager(URI.create(url), options);
            socket = manager.socket("/", options);
            for (String event : List.of("connect", "connect_error", "disconnect")) {
                socket.on(event, args -> line(event).add(args));
            }
            manager.on(Manager.EVENT_TRANSPORT, args -> hearPacketsBy((Transport) args[0]));
            socket.onAnyIncoming(this::hear);
            everybody.add(this);
            socket.connect();
        }

        static Person entered(String name, String[] transports) throws Exception {
            Person person = new Person("java " + name + " " + ++names, transports);
            person.hears("welcome");
            return person;
        }

        Socket admin(String password) throws Exception {
            Socket admin = join("/admin", Map.of("password", password));
            next(admin, "connect");
            return admin;
        }

        /** Another namespace, over the same transport. */
        Socket join(String namespace, Map<String, String> auth) {
            Socket other = socket.io().socket(namespace, IO.Options.builder().setAuth(auth).build());
            others.add(other);
            return other;
        }

        JSONObject ask(String event, Object argument) throws Exception {
            return Stories.ask(socket, event, argument);
        }

        void answersLookWith(Object answer) {
            socket.on("look", args -> ((Ack) args[args.length - 1]).call(answer));
        }

        /** The arguments of the next event of that name. */
        Object[] hears(String event) throws Exception {
            Object[] args = line(event).poll(PATIENCE_MS, TimeUnit.MILLISECONDS);
            if (args == null) throw new TimeoutException(name + " heard no " + event);
            return args;
        }

        /** The next of that sender: what others say is let pass, the log of earlier stories for one. */
        JSONObject hearsFrom(String event, Person sender) throws Exception {
            for (;;) {
                JSONObject said = (JSONObject) hears(event)[0];
                if (said.getString("from").equals(sender.name)) return said;
            }
        }

        BlockingQueue<Object[]> line(String event) {
            return heard.computeIfAbsent(event, any -> new LinkedBlockingQueue<>());
        }

        /** The library tells of a transport before it knows that it works; of an upgrade it tells nobody. */
        private void hearPacketsBy(Transport transport) {
            transport.on(Transport.EVENT_PACKET, args -> {
                line(((Packet<?>) args[0]).type + " by " + transport.name).add(args);
            });
        }

        private void hear(Object... event) {
            Object[] args = Arrays.copyOfRange(event, 1, event.length);
            if (event[0].equals("welcome")) auth.put("pid", ((JSONObject) args[0]).optString("pid"));
            if (args[args.length - 1] instanceof String position) auth.put("offset", position);
            line((String) event[0]).add(args);
        }
    }

    /**
     * Answers the server's close of a WebSocket. The library does not, and would learn of it only when it misses a ping.
     */
    static final class Answering extends WebSocketListener {
        private final WebSocketListener listener;

        Answering(WebSocketListener listener) {
            this.listener = listener;
        }

        @Override
        public void onClosing(WebSocket socket, int code, String reason) {
            listener.onClosing(socket, code, reason);
            socket.close(code, reason);
        }

        @Override
        public void onClosed(WebSocket socket, int code, String reason) {
            listener.onClosed(socket, code, reason);
        }

        @Override
        public void onFailure(WebSocket socket, Throwable error, Response response) {
            listener.onFailure(socket, error, response);
        }

        @Override
        public void onMessage(WebSocket socket, String text) {
            listener.onMessage(socket, text);
        }

        @Override
        public void onMessage(WebSocket socket, ByteString bytes) {
            listener.onMessage(socket, bytes);
        }

        @Override
        public void onOpen(WebSocket socket, Response response) {
            listener.onOpen(socket, response);
        }
    }

    static JSONObject ask(Socket socket, String event, Object argument) throws Exception {
        CompletableFuture<Object> answer = new CompletableFuture<>();
        socket.emit(event, new Object[] {argument}, args -> answer.complete(args[0]));
        return (JSONObject) answer.get(PATIENCE_MS, TimeUnit.MILLISECONDS);
    }

    static Object next(Socket socket, String event) throws InterruptedException, ExecutionException, TimeoutException {
        CompletableFuture<Object> next = new CompletableFuture<>();
        socket.once(event, args -> next.complete(args.length > 0 ? args[0] : null));
        socket.connect();
        return next.get(PATIENCE_MS, TimeUnit.MILLISECONDS);
    }

    static void equal(Object found, Object expected) {
        if (!found.equals(expected)) throw new AssertionError("found " + found + ", expected " + expected);
    }

    public static void main(String[] arguments) {
        url = arguments[0];
        Map<String, Story> stories = new LinkedHashMap<>();
        stories.put("auth failure", Stories::authFailure);
        stories.put("polling, then upgrade", Stories::pollingThenUpgrade);
        stories.put("polling only", () -> over(POLLING));
        stories.put("websocket only", () -> over(WEBSOCKET));
        stories.put("acks both ways", Stories::acksBothWays);
        stories.put("recovery over WebSocket", () -> recovery(WEBSOCKET));
        stories.put("recovery over polling", () -> recovery(POLLING));
        stories.put("namespaces", Stories::namespaces);
        int failed = 0;
        for (Map.Entry<String, Story> story : stories.entrySet()) {
            try {
                story.getValue().tell();
                System.out.println("ok      java: " + story.getKey());
            } catch (Exception | AssertionError error) {
                failed = 1;
                System.out.println("FAILED  java: " + story.getKey());
                error.printStackTrace(System.out);
            }
            for (Person person : everybody) {
                person.others.forEach(Socket::disconnect);
                person.socket.disconnect();
            }
            everybody.clear();
        }
        // The library's threads would stay.
        System.exit(failed);
    }
}
