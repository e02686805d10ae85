'use strict';
// Socket.IO's own server alone: the peer's fan-out without HTTP routes, PostgreSQL and Redis. See README.md.
const http = require('http');
const { Server } = require('socket.io');

const ID = '11111111111111111111111111111111';
const SENDER = '00000000-0000-4000-8000-000000000000';
const AT = '2026-01-01T00:00:00.000Z';
const NEXT = 'AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';

const server = http.createServer();
const io = new Server(server, { transports: ['websocket', 'polling'], perMessageDeflate: false });
const seqs = new Map();

// The fields of Tidings' own frame, in its order.
const fieldsOf = ({ conversationId, content, clientMessageId }, seq) => ({
  id: ID, conversationId, seq, senderId: SENDER, type: 'text', content, metadata: null,
  clientMessageId, replyTo: null, threadRootId: null, mentions: [], attachments: [], reactions: [], version: 1,
  createdAt: AT, editedAt: null, deletedAt: null, deletedBy: null,
});

io.use((s, next) => {
  const token = s.handshake.auth && s.handshake.auth.token;
  next(typeof token === 'string' && token.startsWith('token-') ? undefined : new Error('unauthorized'));
});
io.on('connection', (s) => {
  s.on('join', (conv, ack) => { s.join(conv); ack && ack('ok'); });
  s.on('message:send', (sent, ack) => {
    const seq = (seqs.get(sent.conversationId) || 0) + 1;
    seqs.set(sent.conversationId, seq);
    const message = fieldsOf(sent, seq);
    const place = { stream: `conversation:${sent.conversationId}`, pos: seq, span: 1, at: AT, next: NEXT };
    io.to(sent.conversationId).emit('message:new', { ...place, ...message }, NEXT);
    ack && ack({ ok: true, message });
  });
});

server.listen(0, '127.0.0.1', 4096, () => console.log(`Open http://127.0.0.1:${server.address().port}`));
process.on('SIGTERM', () => process.exit(0));
