-- What a key may ask of a gateway; 0: what the gateway allows any key.
ALTER TABLE api_key ADD COLUMN rate INTEGER NOT NULL DEFAULT 0;        -- requests a minute
ALTER TABLE api_key ADD COLUMN concurrency INTEGER NOT NULL DEFAULT 0; -- requests at once
