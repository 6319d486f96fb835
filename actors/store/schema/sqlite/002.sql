-- Chats: a question and its answer a turn, two messages. Like chunks, a chat's messages are one
-- range of rows in reading order:
--   message = chat << 20 | number

ALTER TABLE project ADD COLUMN chats INTEGER NOT NULL DEFAULT 0 CHECK (chats >= 0);

CREATE TABLE chat (
    id INTEGER PRIMARY KEY,
    project INTEGER NOT NULL REFERENCES project (id),
    uuid BLOB NOT NULL UNIQUE CHECK (length(uuid) = 16),
    title TEXT NOT NULL,
    messages INTEGER NOT NULL DEFAULT 0,
    created_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL -- of its last message
) STRICT;
CREATE INDEX chat_listed ON chat (project, last_ms, id);

CREATE TABLE chat_message (
    id INTEGER PRIMARY KEY,
    uuid BLOB NOT NULL CHECK (length(uuid) = 16),
    sender INTEGER NOT NULL, -- chats.h, enum edda_chat_sender
    content TEXT NOT NULL,
    system_prompt TEXT,
    error TEXT,
    sent_ms INTEGER NOT NULL
) STRICT;
-- A turn that is sent again is known by its question.
CREATE INDEX chat_question ON chat_message (uuid) WHERE sender = 0;
