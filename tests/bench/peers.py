"""The same memo over HTTP as people usually build it: Express 5 with pg, FastAPI with asyncpg. Their row is one
row of one table, which is less than Edda reads; the answer's fields and the check of a key are the same."""

import json
import os
import shutil
import subprocess
import tempfile

import service

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
CACHE = os.path.join(ROOT, "build-bench")
POOL = 8  # connections to PostgreSQL, as Edda's default

EXPRESS = """
const express = require('express'), { Pool } = require('pg');
const pool = new Pool({ connectionString: process.env.DATABASE, max: Number(process.env.POOL) });
const keys = new Map([[process.env.KEY, 1]]);
const app = express();
app.disable('x-powered-by');
app.set('etag', false);
app.get('/api/v1/memo/:id', async (request, response) => {
  const project = keys.get((request.headers.authorization || '').replace(/^Bearer /, ''));
  if (!project) return response.status(401).json({ error: 'unauthorized' });
  const found = await pool.query({ name: 'memo', text:
    'SELECT document FROM peer_memo WHERE project = $1 AND uuid = $2', values: [project, request.params.id] });
  if (!found.rows.length) return response.status(404).json({ error: 'not found' });
  response.json(found.rows[0].document);
});
app.get('/', (request, response) => response.json({}));
app.listen(Number(process.env.PORT), '127.0.0.1');
"""

FASTAPI = """
import json, os
from uuid import UUID
import asyncpg
from fastapi import FastAPI, Header
from fastapi.responses import JSONResponse
KEYS = {os.environ["KEY"]: 1}

async def prepare(connection):
    await connection.set_type_codec("json", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")

app = FastAPI()

@app.on_event("startup")
async def startup():
    size = int(os.environ["POOL"])
    app.state.pool = await asyncpg.create_pool(os.environ["DATABASE"], min_size=size, max_size=size, init=prepare)

@app.get("/api/v1/memo/{memo}")
async def get_memo(memo: UUID, authorization: str = Header("")):
    project = KEYS.get(authorization.removeprefix("Bearer "))
    if project is None:
        return JSONResponse({"error": "unauthorized"}, 401)
    row = await app.state.pool.fetchrow("SELECT document FROM peer_memo WHERE project = $1 AND uuid = $2", project, memo)
    if row is None:
        return JSONResponse({"error": "not found"}, 404)
    return JSONResponse(row["document"])

@app.get("/")
async def ready():
    return {}
"""


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


class Postgres:
    """A private server (ops/postgres) for as long as a benchmark takes."""

    def __enter__(self):
        self.directory = tempfile.mkdtemp(prefix="edda-bench-postgres-")
        os.chmod(self.directory, 0o711)  # its user comes by; else its data would stay in /var/tmp
        # Without TLS, as node's pg does by default: what it costs is neither Edda's nor its peers'.
        self.url = run(os.path.join(ROOT, "ops", "postgres"), "start", self.directory) + "?sslmode=disable"
        return self

    def __exit__(self, kind, value, trace):
        run(os.path.join(ROOT, "ops", "postgres"), "stop", self.directory)
        shutil.rmtree(self.directory, ignore_errors=True)

    def cpu_seconds(self):
        """Of its main process and all of its children."""
        with open(os.path.join(self.home(), "data", "postmaster.pid")) as file:
            pid = int(file.readline())
        total = 0
        for one in service.process_tree(pid):
            try:
                with open(f"/proc/{one}/schedstat") as stat:
                    total += int(stat.read().split()[0])
            except OSError:
                continue
        return total / 1e9

    def home(self):
        where = os.path.join(self.directory, "where")
        if os.path.exists(where):
            with open(where) as file:
                return file.read().strip()
        return self.directory

    def fill(self, documents):
        """The peers' table, from what Edda answers. Statistics of all tables, as a server has them after a minute."""
        rows = "\n".join(f"{document['uuid']}\t1\t" + json.dumps(document).replace("\\", "\\\\")
                         for document in documents)
        run("psql", "-q", "-d", self.url, "-v", "ON_ERROR_STOP=1", "-c",
            "CREATE TABLE peer_memo (uuid uuid, project int, document json, PRIMARY KEY (project, uuid))",
            "-c", "COPY peer_memo (uuid, project, document) FROM STDIN", "-c", "VACUUM ANALYZE", input=rows)


def environment(port, url):
    return {"PORT": str(port), "DATABASE": url, "KEY": service.KEY, "POOL": str(POOL), "NODE_ENV": "production"}


def start_express(url):
    home = os.path.join(CACHE, "express")
    if not os.path.isdir(os.path.join(home, "node_modules", "pg")):
        os.makedirs(home, exist_ok=True)
        run("npm", "install", "--silent", "--no-audit", "--no-fund", "express@5", "pg@8", cwd=home)
    with open(os.path.join(home, "server.js"), "w") as out:
        out.write(EXPRESS)
    port = service.free_port()
    return service.Service(["node", os.path.join(home, "server.js")], port, tempfile.mkdtemp(prefix="edda-bench-"),
                           environment(port, url)).wait()


def start_fastapi(url):
    home = os.path.join(CACHE, "fastapi")
    os.makedirs(home, exist_ok=True)
    with open(os.path.join(home, "server.py"), "w") as out:
        out.write(FASTAPI)
    port = service.free_port()
    return service.Service(["/usr/bin/python3", "-m", "uvicorn", "--app-dir", home, "--host", "127.0.0.1", "--port", str(port),
                            "--no-access-log", "--loop", "uvloop", "--http", "httptools", "server:app"], port,
                           tempfile.mkdtemp(prefix="edda-bench-"), environment(port, url)).wait()
